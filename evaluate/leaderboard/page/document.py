"""The whole page: markup, style, script and data in one file that asks nothing of any network.

Its charts are drawn by scripts of ddbench's own: the page opens offline from one file of some hundred kilobytes, has no
build step, and every mark has its words and can be reached by keyboard, which chart libraries do not give together.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, size
from ddbench.evaluate.leaderboard.page.gallery import gallery
from ddbench.evaluate.leaderboard.page.network_tables import matrices
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow, measures_of, page_rows
from ddbench.evaluate.leaderboard.page.provenance import panel
from ddbench.evaluate.leaderboard.page.published_points import published_points
from ddbench.evaluate.leaderboard.page.recipes import recipe_key, recipes_of
from ddbench.evaluate.leaderboard.page.rows_table import rows_table
from ddbench.evaluate.leaderboard.row import Row
from ddbench.files.plain_text import as_page_text, printable
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

_PACKAGE = "ddbench.evaluate.leaderboard.page"


def page(
    rows: Sequence[Row], pictures: Mapping[str, bytes] | None = None, paths: Mapping[str, str] | None = None
) -> str:
    """Make one HTML document of the leaderboard of these rows.

    Args:
        rows: Of any settings. Whatever they say is shown as text, never as markup.
        pictures: Small image files by the SHA-256 of the synthetic set they show.
        paths: Where rows lie, by ``row_key``, for the command that verifies them.

    Returns:
        The document.

    Raises:
        ValueError: A picture that is no PNG, WebP or JPEG.
    """
    shown_rows = page_rows(rows, paths or {})
    recipe_texts = recipes_of(shown_rows)
    style, script = _asset("page.css"), _script()
    return (
        _environment()
        .get_template("page.html")
        .render(
            policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=Markup(style),
            script=Markup(script),
            summary=_summary(shown_rows),
            measure=measures_of(shown_rows),
            counted="IPC" if any(page_row.measure == ROC_AUC for page_row in shown_rows) else "images per class",
            rows=shown_rows,
            groups=[list(part) for _, part in groupby(shown_rows, key=lambda page_row: page_row.group)],
            **rows_table(shown_rows),
            matrices=matrices(shown_rows),
            pictures=gallery(shown_rows, pictures or {}),
            panels=map(panel, shown_rows),
            recipes=recipe_texts,
            data=_data(shown_rows, recipe_texts),
            version=__version__,
        )
    )


def _environment() -> Environment:
    """Templates that escape whatever they show, and replace characters that no page may hold."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else as_page_text(str(value)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(duration=duration, per_kilobyte=per_kilobyte, size=size, printable=printable)
    environment.filters["json"] = _json
    environment.filters["yaml"] = _yaml
    return environment


def _json(document: Any) -> Markup:
    """A JSON document for a script element, which no string in it can end.

    Raises:
        ValueError: Numbers that JSON does not have.
    """
    plain = json.dumps(document, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _asset(name: str) -> str:
    return files(_PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")


def _script() -> str:
    body = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _summary(shown_rows: Sequence[PageRow]) -> str:
    counts = (
        (sum(len(page_row.runs) for page_row in shown_rows), "row"),
        (len({(page_row.row.dataset, page_row.entry["test_split"]) for page_row in shown_rows}), "data set"),
        (len({page_row.row.label for page_row in shown_rows}), "method"),
        (len({page_row.row.network for page_row in shown_rows}), "network"),
        (len({page_row.row.protocol for page_row in shown_rows}), "protocol"),
    )
    return " · ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)


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
