"""Keys of recipes that are about images alone."""

from __future__ import annotations

from ddbench.errors import UserError
from ddbench.recipe.recipe import LoadedRecipe

IMAGE_KEYS = ("size", "mirror", "preprocessing", "experts")
"""Keys of a recipe."""
IMAGE_EVALUATION_KEYS = ("lr", "rates", "teachers", "steps", "selection", "selection_seeds")
"""Keys of its ``evaluation``."""


def refuse_image_keys(loaded: LoadedRecipe, data: str) -> None:
    """Check that a recipe on other data says nothing of images.

    Args:
        loaded: The recipe.
        data: What its data set holds.

    Raises:
        UserError: A key that is about images.
    """
    recipe = loaded.recipe
    keys: list[tuple[str, ...]] = [(key,) for key in IMAGE_KEYS if key in recipe.model_fields_set]
    keys += [("evaluation", key) for key in IMAGE_EVALUATION_KEYS if key in recipe.evaluation.model_fields_set]
    for key in keys:
        raise UserError(
            f"{'.'.join(key)} is about images, and {recipe.dataset} is a set of {data}",
            f"from  {loaded.where(*key)}",
            fix=f"remove {key[-1]}",
        )
