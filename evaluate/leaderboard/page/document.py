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

    pictures: small image files by the SHA-256 of the synthetic set they show. paths: where rows lie, by ``row_key``,
    for the command that verifies them. Whatever rows say is shown as text, never as markup.
    Errors: ValueError for a picture that is no PNG, WebP or JPEG.
    """
    lines = page_rows(rows, paths or {})
    found = recipes_of(lines)
    style, script = _asset("page.css"), _script()
    return Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        summary=_summary(lines),
        measure=measures_of(lines),
        Measure=capital(measures_of(lines)),
        counted="IPC" if any(line.measure == ROC_AUC for line in lines) else "images per class",
        rows_table=rows_table(lines) if lines else tag("p", "There are no rows yet.", class_="hint"),
        pools=pools(lines) or tag("p", "No method has rows on several networks.", class_="hint"),
        gallery=gallery(lines, pictures or {}),
        provenance=provenance(lines),
        recipes=recipes(found),
        data=script_json(_data(lines, found)),
        version=__version__,
    )


def _asset(name: str) -> str:
    return files("ddbench.evaluate.leaderboard.page").joinpath("assets", name).read_text(encoding="utf-8")


def _script() -> str:
    body = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _summary(lines: Sequence[PageRow]) -> Html:
    def counted(count: int, one: str, many: str) -> str:
        return f"{count} {one if count == 1 else many}"

    facts = (
        counted(sum(len(line.runs) for line in lines), "row", "rows"),
        counted(len({(line.row.dataset, line.entry["test_split"]) for line in lines}), "data set", "data sets"),
        counted(len({line.row.label for line in lines}), "method", "methods"),
        counted(len({line.row.network for line in lines}), "network", "networks"),
        counted(len({line.row.protocol for line in lines}), "protocol", "protocols"),
    )
    return join(*facts, by=" · ")


def _data(lines: Sequence[PageRow], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the script works on, and what whoever reads the page by a program finds: every row with all it says."""
    return {"rows": [_record(line) for line in lines], "recipes": found, "published": published_points(lines)}


def _record(line: PageRow) -> dict[str, Any]:
    recipe = recipe_key(line.row.recipe) if line.row.recipe else None
    return {
        "key": line.key,
        "rank": line.rank,
        "rivals": line.rivals,
        "panel": list(line.panel),
        "series": line.series,
        "conditions": line.row.conditions,
        "test_split": line.entry["test_split"],
        "mean": line.mean,
        "std": line.std,
        "stored": line.row.total_bytes,
        "no_learning": line.no_learning,
        "row": {**line.facts, "recipe": recipe},
    }
