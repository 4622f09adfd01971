"""``ddbench info``: what a file of ddbench's is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    path: Annotated[Path, typer.Argument(help="A buffer's or a run's folder, a synthetic set, a row, any artefact.")],
) -> None:
    """Say what a buffer, set, run or row is, as JSON; checksums are verified where the file is small."""
    typer.echo(json.dumps(facts_of(path), indent=2))


def facts_of(path: Path) -> dict[str, Any]:
    """What lies at a path. Errors: UserError when it is nothing of ddbench's."""
    from ddbench.artefact import describe
    from ddbench.errors import UserError

    if (path / "buffer.json").exists():
        return _buffer(path)
    if path.is_dir():
        inside = path / "synthetic.safetensors"
        if not inside.exists():
            raise UserError(f"{path} is neither a buffer nor a finished run", fix="give a file, or another folder")
        candidates = sorted(int(file.stem) for file in (path / "candidates").glob("*.safetensors"))
        return {"kind": "run", "candidates": candidates, "synthetic": facts_of(inside)}
    if path.suffix == ".json":
        from dataclasses import asdict

        from ddbench.evaluate.rows import load_row

        row = load_row(path)
        return {"kind": "row", **asdict(row), "accuracy_mean": row.accuracy_mean, "accuracy_std": row.accuracy_std}
    document = describe(path)
    if document.get("kind") == "synthetic set":
        from ddbench.synthetic import load_synthetic

        syn = load_synthetic(path)
        document |= {
            "images": list(syn.images.shape),
            "labels": list(syn.labels.shape),
            "bytes": syn.bytes,
            "checksum": "verified",
        }
    return document


def _buffer(path: Path) -> dict[str, Any]:
    from ddbench.artefact import read_json
    from ddbench.expert_buffers.store import ExpertBuffer

    buffer = ExpertBuffer.open(path)
    on_disk = sum(file.stat().st_size for file in path.glob("expert-*.safetensors"))
    description = read_json(path / "buffer.json", "buffer description")
    return {**description, "kind": "expert buffer", "experts": len(buffer), "epochs": buffer.epochs, "bytes": on_disk}
