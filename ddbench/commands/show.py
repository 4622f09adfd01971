"""``ddbench show``: the picture of a synthetic set."""

from __future__ import annotations

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
    """Draw a synthetic set as a PNG, its preprocessing undone: classes down, images across."""
    from ddbench.commands.picture import draw
    from ddbench.data.preprocessing import load_preprocessing
    from ddbench.synthetic import load_synthetic

    file = options.set_file(set)
    syn = load_synthetic(file)
    target = out or file.with_suffix(".png")
    target = target / f"{file.stem}.png" if target.is_dir() else target
    draw(syn, load_preprocessing(syn.preprocessing, options.home_folder(home)), target)
    typer.echo(str(target))
