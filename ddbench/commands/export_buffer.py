"""``ddbench export BUFFER``: expert buffers for the reference projects."""

from __future__ import annotations

from pathlib import Path

import typer


def is_buffer(path: Path) -> bool:
    """Whether this is the folder of an expert buffer, also of one whose description is missing."""
    return (path / "buffer.json").exists() or any(path.glob("expert-*.safetensors"))


def export_buffer(buffer: Path, out: Path, per_file: int) -> None:
    """Write an expert buffer as replay_buffer_*.pt files, which MTT and its children read. Every bit is kept."""
    from ddbench.expert_buffers.legacy import export_replay_buffer
    from ddbench.expert_buffers.store import ExpertBuffer

    for file in export_replay_buffer(ExpertBuffer.open(buffer), out, per_file=per_file):
        typer.echo(str(file))
