"""The recipes of the rows, each once, as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from ddbench.artifact import fingerprint
from ddbench.evaluate.leaderboard.page.markup import Html, join, name_of, tag
from ddbench.evaluate.leaderboard.page.page_rows import PageRow, plain


def recipes_of(page_rows: Sequence[PageRow]) -> dict[str, dict[str, Any]]:
    """The recipes by their keys; rows of one run share theirs."""
    return {recipe_key(page_row.row.recipe): page_row.facts["recipe"] for page_row in page_rows if page_row.row.recipe}


def recipe_key(recipe: dict[str, Any]) -> str:
    return fingerprint(plain(recipe))


def as_yaml(recipe: dict[str, Any]) -> str:
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100)


def recipes(recipe_texts: dict[str, dict[str, Any]]) -> Html:
    """One panel a recipe."""
    return join(
        *(
            tag(
                "details",
                tag("summary", "Recipe ", name_of(recipe.get("name") or key)),
                tag("pre", tag("code", as_yaml(recipe)), tabindex=0),
                id=f"recipe-{key}",
                class_="panel",
            )
            for key, recipe in recipe_texts.items()
        )
    )
