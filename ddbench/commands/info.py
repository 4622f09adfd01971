"""``ddbench info``: what a file of ddbench's is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The folder of a buffer or a run, a synthetic set, a row, or any artifact."
        ),
    ],
) -> None:
    """Say what a buffer, run, synthetic set or row is, as JSON. Of a synthetic set the checksum is verified."""
    typer.echo(readable(facts_of(path)))


def readable(document: Any) -> str:
    """Write indented JSON in which a list of plain values keeps to one line.

    Args:
        document: Plain data.

    Returns:
        The text, without a newline at its end.
    """
    text = json.dumps(document, indent=2)
    return re.sub(r"\[\n\s*([^\[\]{}]*?)\n\s*\]", lambda match: "[" + re.sub(r"\n\s*", " ", match[1]) + "]", text)


def facts_of(path: Path) -> dict[str, Any]:
    """Describe the buffer, run, synthetic set or row at a path.

    Args:
        path: File or folder; the checksum of a synthetic set is verified.

    Returns:
        Plain data with its ``kind``.

    Raises:
        UserError: It is nothing of ddbench's.
    """
    from ddbench.artifact import describe, uncovered
    from ddbench.expert_buffers.buffer import is_buffer
    from ddbench.formats.recognize import refuse_foreign
    from ddbench.pipeline.domains import domain_of_kind

    refuse_foreign(path)
    if is_buffer(path):
        return _buffer(path)
    if path.is_dir():
        return _run(path)
    if path.suffix == ".json":
        from dataclasses import asdict

        from ddbench.evaluate.leaderboard.row import load_row

        row = load_row(path)
        return {"kind": "row", **asdict(row), "accuracy_mean": row.accuracy_mean, "accuracy_std": row.accuracy_std}
    document = describe(path)
    note = uncovered(document)
    if domain := domain_of_kind(document.get("kind")):
        document |= {**domain.describe(domain.load_set(path)), "checksum": f"verified; {note}" if note else "verified"}
    return document


def _run(path: Path) -> dict[str, Any]:
    from ddbench.artifact import describe
    from ddbench.errors import UserError

    state, made = path / "state.safetensors", path / "synthetic.safetensors"
    if not state.exists() and not made.exists():
        raise UserError(
            f"{path} is neither the folder of a buffer nor that of a run",
            fix="give a folder below HOME/buffers or HOME/runs, or a file",
        )
    facts: dict[str, Any] = {"kind": "run"}
    if state.exists():
        about = describe(state)
        facts |= {key: about.get(key) for key in ("step", "seconds", "peak_bytes", "guard")}
    names = [file.stem for file in (path / "candidates").glob("*.safetensors")]
    facts["candidates"] = sorted(int(name) for name in names if name.isdecimal())
    facts["synthetic"] = facts_of(made) if made.exists() else None
    return facts


def _buffer(path: Path) -> dict[str, Any]:
    from ddbench.artifact import read_json
    from ddbench.expert_buffers.buffer import ExpertBuffer

    buffer = ExpertBuffer.open(path)
    on_disk = sum(file.stat().st_size for file in path.glob("expert-*.safetensors"))
    description = read_json(path / "buffer.json", "buffer description")
    return {**description, "kind": "expert buffer", "experts": len(buffer), "epochs": buffer.epochs, "bytes": on_disk}
