"""``ddbench export``: expert buffers for the reference projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export_buffer(
    buffer: Annotated[
        Path, typer.Argument(metavar="BUFFER", help="The folder of an expert buffer (below HOME/buffers).")
    ],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where replay_buffer_0.pt, ... are written.")],
    per_file: Annotated[int, typer.Option(min=1, metavar="N", help="How many experts a file holds.")] = 10,
) -> None:
    """Write an expert buffer as replay_buffer_*.pt files, which MTT and its children read. Every bit is kept."""
    from ddbench.expert_buffers.legacy import export_replay_buffer
    from ddbench.expert_buffers.store import ExpertBuffer

    for file in export_replay_buffer(ExpertBuffer.open(buffer), out, per_file=per_file):
        typer.echo(str(file))
