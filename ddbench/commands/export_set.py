"""``ddbench export``: synthetic sets for other programs, and expert buffers for the reference projects."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def export(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="SET|BUFFER",
            help="A synthetic set (synthetic.safetensors), the folder of its run, or the folder of an expert buffer "
            "(below HOME/buffers).",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder, or for native and parquet the file, to write.")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="How to write a set: native, pt (MTT, DATM), ddranking, png (a folder a class), or parquet "
            "(Hugging Face). ddbench formats says more.",
            show_default=False,
        ),
    ] = None,
    per_file: Annotated[int, typer.Option(min=1, metavar="N", help="Of a buffer: how many experts a file holds.")] = 10,
    home: options.Home = None,
) -> None:
    """Write a synthetic set for another program, or an expert buffer as replay_buffer_*.pt for MTT and its children.

    What a format can not hold, or holds otherwise, is said line by line after the files.
    """
    from ddbench.errors import UserError
    from ddbench.expert_buffers.buffer import is_buffer
    from ddbench.formats.export import EXPORTS, export_set
    from ddbench.pipeline.set_home import require_whitening
    from ddbench.synthetic.synthetic_set import load_synthetic

    if is_buffer(what):
        if format is not None:
            raise UserError(
                f"{what} is an expert buffer, for which there is one format: replay_buffer_*.pt",
                fix="leave out --format",
            )
        return export_buffer(what, out, per_file)
    if format is None:
        raise UserError(
            "in which format is the set to be written?",
            f"known {', '.join(EXPORTS.names())}",
            fix="say it with --format; ddbench formats says what each is",
        )
    EXPORTS.get(format)
    file = options.set_file(what)
    again = f"ddbench export {shlex.quote(str(what))} {shlex.quote(str(out))} --format {format}"
    require_whitening(file, options.home_folder(home), again)
    exported = export_set(load_synthetic(file), out, format, options.home_folder(home))
    for file in exported.files:
        typer.echo(str(file))
    for note in exported.notes:
        typer.echo(f"note: {note}")


def export_buffer(buffer: Path, out: Path, per_file: int) -> None:
    """Write an expert buffer as replay_buffer_*.pt files, which MTT and its children read, bit for bit.

    Args:
        buffer: Folder of the buffer.
        out: Folder of the files.
        per_file: Experts in a file.

    Raises:
        UserError: There is no whole buffer, or there are such files already.
    """
    from ddbench.expert_buffers.buffer import ExpertBuffer
    from ddbench.expert_buffers.replay_buffer import export_replay_buffer

    for file in export_replay_buffer(ExpertBuffer.open(buffer), out, per_file=per_file):
        typer.echo(str(file))
