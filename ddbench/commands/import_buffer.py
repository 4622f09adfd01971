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
    *,
    scored: bool = True,
) -> None:
    """Turn replay buffers of other projects into an expert buffer, where the recipe's runs will find it.

    Args:
        files: As they were given.
        recipe: Says data, network and preprocessing.
        override: Of keys of the recipe.
        seed: Of the recipe, where it is not its own.
        plugin: Files of plugins.
        where: The home, and where data lie.
        scored: Whether a few experts must know the training images.

    Raises:
        UserError: When the recipe needs several buffers, and as in ``import_experts``.
    """
    from ddbench.commands.buffers import import_experts
    from ddbench.commands.dataset_facts import dataset_facts
    from ddbench.errors import UserError

    pipeline = open_image_recipe(recipe, override, seed, plugin, where)
    if len(pipeline.buffers) != 1:
        raise UserError(
            f"the recipe {pipeline.loaded.name} needs {len(pipeline.buffers)} expert buffers, and one can be imported",
            fix="give a recipe whose methods share one buffer",
        )
    (need,) = pipeline.buffers
    buffer = import_experts(
        files,
        need,
        pipeline.network,
        pipeline.recipe.preprocessing,
        dataset_facts(pipeline),
        lambda: pipeline.real,
        scored=scored,
    )
    typer.echo(f"{len(buffer)} experts of {buffer.epochs} epochs:  {buffer.folder}")
    about = buffer.description.imported or {}
    if about.get("accuracy") is not None:
        right = 100 * about["accuracy"]
        typer.echo(
            f"their last snapshots know {right:.1f} % of the training images, under {pipeline.recipe.preprocessing}"
        )
    for note in buffer.description.notes:
        typer.echo(f"note: {note}")
    if buffer.epochs < need.epochs:
        typer.echo(f"note: the recipe needs {need.epochs} epochs of each, and these have {buffer.epochs}")
    if len(buffer) < need.recipe.count:
        typer.echo(f"note: the recipe asks for {need.recipe.count} experts: -o experts.count={len(buffer)}")
