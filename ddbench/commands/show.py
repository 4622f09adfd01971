"""``ddbench show``: the picture of a synthetic set."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def show(
    set: Annotated[
        Path, typer.Argument(metavar="SET", help="A synthetic set (synthetic.safetensors), or the folder of its run.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The PNG to write.  [default: beside the set]", show_default=False),
    ] = None,
    home: options.Home = None,
) -> None:
    """Draw a synthetic set as a PNG, its preprocessing undone: classes down, images, or graphs, across."""
    from ddbench.pipeline.pictures import draw_set
    from ddbench.pipeline.set_home import require_whitening

    file = options.set_file(set)
    require_whitening(file, options.home_folder(home), f"ddbench show {shlex.quote(str(set))}")
    target = out or file.with_suffix(".png")
    target = target / f"{file.stem}.png" if target.is_dir() else target
    draw_set(file, target, options.home_folder(home))
    typer.echo(str(target))
