"""The whole page: markup, style, script and data in one file that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from ddbench.evaluate.leaderboard.page.gallery import gallery
from ddbench.evaluate.leaderboard.page.markup import Html, capital, join, script_json, tag
from ddbench.evaluate.leaderboard.page.network_tables import pools
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow, measures_of, page_rows
from ddbench.evaluate.leaderboard.page.provenance import provenance
from ddbench.evaluate.leaderboard.page.published_points import published_points
from ddbench.evaluate.leaderboard.page.recipes import recipe_key, recipes, recipes_of
from ddbench.evaluate.leaderboard.page.rows_table import rows_table
from ddbench.evaluate.leaderboard.row import Row
from ddbench.version import __version__

SCRIPTS = (
    "elements",
    "state",
    "theme",
    "scales",
    "marks",
    "frame",
    "floor",
    "curves",
    "dots",
    "cost",
    "charts",
    "panels",
    "board",
    "start",
)
"""Which files the script is put together from, in their order."""


def page(
    rows: Sequence[Row], pictures: Mapping[str, bytes] | None = None, paths: Mapping[str, str] | None = None
) -> str:
    """The leaderboard of these rows as one HTML document.

    Args:
        pictures: Small image files by the SHA-256 of the synthetic set they show.
        paths: Where rows lie, by ``row_key``, for the command that verifies them. Whatever rows say is shown as text,
            never as markup.

    Raises:
        ValueError: A picture that is no PNG, WebP or JPEG.
    """
    shown_rows = page_rows(rows, paths or {})
    recipe_texts = recipes_of(shown_rows)
    style, script = _asset("page.css"), _script()
    return Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        summary=_summary(shown_rows),
        measure=measures_of(shown_rows),
        Measure=capital(measures_of(shown_rows)),
        counted="IPC" if any(page_row.measure == ROC_AUC for page_row in shown_rows) else "images per class",
        rows_table=rows_table(shown_rows) if shown_rows else tag("p", "There are no rows yet.", class_="hint"),
        pools=pools(shown_rows) or tag("p", "No method has rows on several networks.", class_="hint"),
        gallery=gallery(shown_rows, pictures or {}),
        provenance=provenance(shown_rows),
        recipes=recipes(recipe_texts),
        data=script_json(_data(shown_rows, recipe_texts)),
        version=__version__,
    )


def _asset(name: str) -> str:
    return files("ddbench.evaluate.leaderboard.page").joinpath("assets", name).read_text(encoding="utf-8")


def _script() -> str:
    body = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _summary(shown_rows: Sequence[PageRow]) -> Html:
    def counted(count: int, one: str, many: str) -> str:
        return f"{count} {one if count == 1 else many}"

    facts = (
        counted(sum(len(page_row.runs) for page_row in shown_rows), "row", "rows"),
        counted(
            len({(page_row.row.dataset, page_row.entry["test_split"]) for page_row in shown_rows}),
            "data set",
            "data sets",
        ),
        counted(len({page_row.row.label for page_row in shown_rows}), "method", "methods"),
        counted(len({page_row.row.network for page_row in shown_rows}), "network", "networks"),
        counted(len({page_row.row.protocol for page_row in shown_rows}), "protocol", "protocols"),
    )
    return join(*facts, by=" · ")


def _data(shown_rows: Sequence[PageRow], recipe_texts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the script works on, and what whoever reads the page by a program finds: every row with all it says."""
    return {
        "rows": [_record(page_row) for page_row in shown_rows],
        "recipes": recipe_texts,
        "published": published_points(shown_rows),
    }


def _record(page_row: PageRow) -> dict[str, Any]:
    recipe = recipe_key(page_row.row.recipe) if page_row.row.recipe else None
    return {
        "key": page_row.key,
        "rank": page_row.rank,
        "rivals": page_row.rivals,
        "panel": list(page_row.panel),
        "series": page_row.series,
        "conditions": page_row.row.conditions,
        "test_split": page_row.entry["test_split"],
        "mean": page_row.mean,
        "std": page_row.std,
        "stored": page_row.row.total_bytes,
        "no_learning": page_row.no_learning,
        "row": {**page_row.facts, "recipe": recipe},
    }
