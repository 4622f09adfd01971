"""The recipes of the rows, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.evaluate.leaderboard.page.page_rows import PageRow, plain


def recipes_of(page_rows: Sequence[PageRow]) -> dict[str, dict[str, Any]]:
    """Recipes of rows, each once; rows of one run share theirs.

    Args:
        page_rows: Rows of the page.

    Returns:
        The recipes by their keys, as ``recipe_key`` has them.
    """
    return {recipe_key(page_row.row.recipe): page_row.facts["recipe"] for page_row in page_rows if page_row.row.recipe}


def recipe_key(recipe: dict[str, Any]) -> str:
    """Key that rows refer to their recipe by.

    Args:
        recipe: Recipe of a row.

    Returns:
        Fingerprint of its JSON, the same for equal recipes.
    """
    return fingerprint(plain(recipe))
