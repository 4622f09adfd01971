"""``ddbench import``: expert buffers of the reference projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def import_buffer(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="replay_buffer_*.pt files of MTT, FTD, TESLA, DATM or AST, or a folder of them."
        ),
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE", help="The recipe that the experts are for: it says dataset, network, preprocessing."
        ),
    ],
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    seed: options.Seed = None,
    plugin: options.Plugin = None,
) -> None:
    """Turn replay buffers of other projects into an expert buffer, where the recipe's runs will find it.

    Every bit is kept. Nothing in the files is run: those that need unpickling are refused.
    """
    from ddbench.commands.buffers import import_experts
    from ddbench.errors import UserError

    pipeline = options.open_recipe(recipe, override, seed, plugin, options.place(home, data_root, "cpu", True))
    if len(pipeline.buffers) != 1:
        raise UserError(
            f"the recipe {pipeline.loaded.name} needs {len(pipeline.buffers)} expert buffers, and one can be imported",
            fix="give a recipe whose methods share one buffer",
        )
    buffer = import_experts(files, pipeline.buffers[0], pipeline.real, pipeline.network)
    typer.echo(f"{len(buffer)} experts of {buffer.epochs} epochs:  {buffer.folder}")
