"""``ddbench import --recipe``: expert buffers of the reference projects."""

from __future__ import annotations

from pathlib import Path

import typer

from ddbench.commands.open_recipe import open_image_recipe
from ddbench.commands.place import Place


def import_buffer(
    files: list[Path],
    recipe: str,
    override: list[str] | None,
    seed: int | None,
    plugin: list[Path] | None,
    where: Place,
) -> None:
    """Turn replay buffers of other projects into an expert buffer, where the recipe's runs will find it.

    Errors: UserError when the recipe needs several buffers, and as in ``import_experts``.
    """
    from ddbench.commands.buffers import import_experts
    from ddbench.errors import UserError

    pipeline = open_image_recipe(recipe, override, seed, plugin, where)
    if len(pipeline.buffers) != 1:
        raise UserError(
            f"the recipe {pipeline.loaded.name} needs {len(pipeline.buffers)} expert buffers, and one can be imported",
            fix="give a recipe whose methods share one buffer",
        )
    buffer = import_experts(files, pipeline.buffers[0], pipeline.real, pipeline.network)
    typer.echo(f"{len(buffer)} experts of {buffer.epochs} epochs:  {buffer.folder}")
