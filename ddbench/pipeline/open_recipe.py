"""Recipes as commands open them: by name, with plugins and options applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.pipeline import Pipeline


def open_recipe(
    name: str,
    overrides: list[str] | None,
    seed: int | None,
    plugins: list[Path] | None,
    where: RunContext,
    seeds: str | None = None,
) -> Pipeline:
    """Open a recipe with what the options changed, checked whole.

    Args:
        name: Of a shipped recipe, or a path.
        overrides: Values of ``-o``.
        seed: Of everything; None leaves the recipe's.
        plugins: Python files to run first.
        where: Home, data root, device.
        seeds: Distillation seeds as ``--seeds`` lists them.

    Returns:
        The recipe with its jobs and stages.

    Raises:
        UserError: Anything wrong in the recipe or the options.
    """
    from ddbench.formats.recognize import refuse_foreign
    from ddbench.pipeline.domains import domain_of_dataset
    from ddbench.pipeline.pipeline import Pipeline
    from ddbench.pipeline.plugins import run_plugin
    from ddbench.recipe.recipe import load_recipe, shipped_recipes

    if name not in shipped_recipes():
        refuse_foreign(Path(name))
    for plugin in plugins or []:
        run_plugin(plugin)
    extra = [] if seed is None else [f"seed={seed}"]
    loaded = load_recipe(name, [*with_seeds(overrides, seeds), *extra])
    domain = domain_of_dataset(loaded.recipe.dataset, loaded.where("dataset"))
    if not domain.parallel:
        where.executors.refuse(f"a recipe on {domain.name}")
    return Pipeline(loaded, where)


def open_image_recipe(
    name: str,
    overrides: list[str] | None,
    seed: int | None,
    plugins: list[Path] | None,
    where: RunContext,
) -> Pipeline:
    """Open a recipe as ``open_recipe`` does, for a command that is about images alone.

    Args:
        name: Of a shipped recipe, or a path.
        overrides: Values of ``-o``.
        seed: Of everything; None leaves the recipe's.
        plugins: Python files to run first.
        where: Home, data root, device.

    Returns:
        The recipe with its jobs and stages.

    Raises:
        UserError: A recipe on other data; and as in ``open_recipe``.
    """
    pipeline = open_recipe(name, overrides, seed, plugins, where)
    if pipeline.domain.name != "images":
        raise UserError(
            f"this command is about images, and {pipeline.recipe.dataset} is a set of {pipeline.domain.name}",
            f"from  {pipeline.loaded.where('dataset')}",
            fix="give a recipe on images (ddbench recipes)",
        )
    return pipeline


def with_seeds(overrides: list[str] | None, seeds: str | None) -> list[str]:
    """Add the override that ``--seeds 0,1,2`` stands for to those of a recipe.

    Args:
        overrides: Values of ``-o``.
        seeds: Whole numbers with commas between; None adds nothing.

    Returns:
        All overrides, that of the seeds last.

    Raises:
        UserError: Something else than a list of whole numbers of 0 or more.
    """
    if seeds is None:
        return list(overrides or ())
    numbers = [number.strip() for number in seeds.split(",")]
    if not all(number.isascii() and number.isdecimal() and len(number) < 20 for number in numbers):
        raise UserError(
            f"--seeds {seeds!r} is not a list of seeds", fix="write whole numbers with commas:  --seeds 0,1,2"
        )
    return [*(overrides or ()), f"seeds=[{', '.join(str(int(number)) for number in numbers)}]"]
