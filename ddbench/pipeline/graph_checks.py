"""Checks of a recipe on graphs, and of methods that take another kind of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.recipe.recipe import LoadedRecipe

_OF_IMAGES = ("size", "mirror", "preprocessing", "experts")
_OF_IMAGE_EVALUATION = ("lr", "rates", "teachers", "steps", "selection", "selection_seeds")


def refuse_what_graphs_have_not(loaded: LoadedRecipe) -> None:
    """Errors: UserError for a key that says nothing of graphs."""
    asked = loaded.recipe
    said = [(key,) for key in _OF_IMAGES if key in asked.model_fields_set]
    said += [("evaluation", key) for key in _OF_IMAGE_EVALUATION if key in asked.evaluation.model_fields_set]
    for key in said:
        raise UserError(
            f"{'.'.join(key)} is about images, and {asked.dataset} is a set of graphs",
            f"from  {loaded.where(*key)}",
            fix=f"remove {key[-1]}",
        )


def require_kind_of_data(loaded: LoadedRecipe, label: str, of_graphs: bool) -> None:
    """Errors: UserError where a method of graphs is to distill images, or the other way round.

    of_graphs: whether the method under ``label`` takes graphs.
    """
    from ddbench.data.sources import find_source

    if find_source(loaded.recipe.dataset, loaded.where("dataset")).source.graphs == of_graphs:
        return
    takes, is_of = ("graphs", "images") if of_graphs else ("images", "graphs")
    raise UserError(
        f"{label} distills {takes}, and {loaded.recipe.dataset} is a set of {is_of}",
        f"from  {loaded.where('methods', label)}",
        fix=f"choose another method (ddbench methods), or a set of {takes} (ddbench datasets)",
    )
