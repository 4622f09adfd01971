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
    from ddbench.pipeline.set_home import require_whitening

    file = options.set_file(set)
    require_whitening(file, options.home_folder(home), f"ddbench show {shlex.quote(str(set))}")
    target = out or file.with_suffix(".png")
    target = target / f"{file.stem}.png" if target.is_dir() else target
    draw_set(file, target, options.home_folder(home))
    typer.echo(str(target))


def draw_set(file: Path, target: Path, home: Path) -> None:
    """Write the picture of a synthetic set, of images or of graphs. home: where a whitening is kept."""
    from ddbench.artifact import describe
    from ddbench.graphs.synthetic_graphs import KIND as GRAPHS

    if describe(file).get("kind") == GRAPHS:
        from ddbench.figures.graph_grid import draw_graphs
        from ddbench.graphs.synthetic_graphs import load_synthetic_graphs

        draw_graphs(load_synthetic_graphs(file), target)
        return
    from ddbench.data.preprocessing import load_preprocessing
    from ddbench.figures.image_grid import draw
    from ddbench.synthetic.synthetic_set import load_synthetic

    syn = load_synthetic(file)
    draw(syn, load_preprocessing(syn.preprocessing, home), target)
