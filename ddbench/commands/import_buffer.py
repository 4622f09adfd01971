"""``ddbench import``: expert buffers of the reference projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def import_buffer(
    files: Annotated[list[Path], typer.Argument(help="replay_buffer_*.pt files of MTT, FTD, TESLA, DATM or AST.")],
    recipe: Annotated[
        str, typer.Option(help="The recipe that the experts are for: it says dataset, network, preprocessing.")
    ],
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    plugin: options.Plugin = None,
) -> None:
    """Turn replay buffers into an expert buffer that a recipe then finds. Files that need unpickling are refused."""
    from ddbench.commands.buffers import import_for_recipe

    pipeline = options.open_recipe(recipe, override, None, plugin, options.place(home, data_root, "cpu", True))
    buffer = import_for_recipe(pipeline, files)
    typer.echo(f"{len(buffer)} experts of {buffer.epochs} epochs:  {buffer.folder}")
