"""Recipes: the YAML that says what is distilled, by which methods, and how it is scored."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.recipe.evaluation import Called, EvaluationRecipe
    from ddbench.recipe.recipe import (
        Entry,
        LoadedRecipe,
        Recipe,
        Seed,
        load_recipe,
        shipped_recipes,
    )

_HOME = {
    "Called": "ddbench.recipe.evaluation",
    "Entry": "ddbench.recipe.recipe",
    "EvaluationRecipe": "ddbench.recipe.evaluation",
    "LoadedRecipe": "ddbench.recipe.recipe",
    "Recipe": "ddbench.recipe.recipe",
    "Seed": "ddbench.recipe.recipe",
    "load_recipe": "ddbench.recipe.recipe",
    "shipped_recipes": "ddbench.recipe.recipe",
}

__all__ = [
    "Called",
    "Entry",
    "EvaluationRecipe",
    "LoadedRecipe",
    "Recipe",
    "Seed",
    "load_recipe",
    "shipped_recipes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
