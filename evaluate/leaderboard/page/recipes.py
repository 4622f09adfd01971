"""The recipes of the rows, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.evaluate.leaderboard.page.page_rows import PageRow, plain


def recipes_of(page_rows: Sequence[PageRow]) -> dict[str, dict[str, Any]]:
    """The recipes by their keys; rows of one run share theirs."""
    return {recipe_key(page_row.row.recipe): page_row.facts["recipe"] for page_row in page_rows if page_row.row.recipe}


def recipe_key(recipe: dict[str, Any]) -> str:
    return fingerprint(plain(recipe))
