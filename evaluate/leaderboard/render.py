"""The leaderboard as text for a terminal, markdown, csv, or json."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ddbench.errors import unknown
from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, percent, size
from ddbench.evaluate.leaderboard.ipc_table import ByIpc, shown_students
from ddbench.evaluate.leaderboard.network_table import pool_blocks
from ddbench.evaluate.leaderboard.over_seeds import SEVERAL, plus_minus
from ddbench.evaluate.leaderboard.ranking import leaderboard
from ddbench.evaluate.leaderboard.row import Row
from ddbench.files.plain_text import csv_cell, markdown_cell, printable

Cells = list[list[str]]


def render(rows: Sequence[Row], form: str = "text", details: bool = False) -> str:
    """The leaderboard of these rows, without a newline at its end.

    form: "text", "markdown", "csv" (accuracies and seeds joined by ";") or "json" (a list of objects, see
    ``ddbench.evaluate.leaderboard.ranking.entry``). details: in text and markdown, one line a row with seeds,
    selection and
    cost; without, a block of several ipcs is a table of methods by ipc. Errors: UserError for another form.
    """
    if form not in FORMS:
        raise unknown("format", form, FORMS)
    return FORMS[form](leaderboard(rows), details)


def as_json(table: pd.DataFrame, details: bool = True) -> str:
    del details
    return json.dumps([{key: _plain(value) for key, value in line.items()} for line in _lines(table)], indent=2)


def as_csv(table: pd.DataFrame, details: bool = True) -> str:
    del details
    flat = table.drop(columns=["bytes_by_part", "charged", "teachers", "tested_on", "over_seeds"])
    for column in ("accuracy", "roc_auc", "seeds", "lr_tried"):
        flat[column] = [";".join(str(value) for value in values) for values in flat[column]]
    for column in flat.columns:
        flat[column] = [csv_cell(value) if isinstance(value, str) else value for value in flat[column]]
    return flat.to_csv(index=False, lineterminator="\n").rstrip("\n")


def as_text(table: pd.DataFrame, details: bool = False) -> str:
    """One block for each data set, protocol and network; the best of each ipc is marked ``*``, an oracle ``!``."""
    if table.empty:
        return "There are no rows yet."
    blocks = []
    for title, lines in _blocks(table):
        head, *cells = _cells(lines, details)
        widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
        text = [_aligned(row, head, widths) for row in cells]
        if _in_lines(lines, details):
            for number in reversed(range(1, len(lines))):
                if lines[number - 1]["ipc"] != lines[number]["ipc"]:
                    text.insert(number, "")
        blocks.append("\n".join([title, _aligned(head, head, widths), *text]))
    for title, (head, *cells) in pool_blocks(_lines(table)):
        widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
        blocks.append("\n".join([title, *(_aligned(row, head, widths) for row in (head, *cells))]))
    return printable("\n\n".join([*blocks, *_legend(table, details)]), keep="\n")


def as_markdown(table: pd.DataFrame, details: bool = False) -> str:
    if table.empty:
        return "There are no rows yet."
    blocks = []
    for title, lines in _blocks(table):
        escaped = [
            {**line, **{key: markdown_cell(line[key]) for key in _NAMES if isinstance(line[key], str)}}
            for line in lines
        ]
        head, *cells = [[" ".join(cell.split()) for cell in row] for row in _cells(escaped, details)]
        blocks.append(_markdown_table(title, head, cells))
    for title, (head, *cells) in pool_blocks(_lines(table)):
        blocks.append(_markdown_table(title, head, [[markdown_cell(cell) for cell in row] for row in cells]))
    legend = ["\n".join(markdown_cell(line) for line in part.split("\n")) for part in _legend(table, details)]
    return "\n\n".join([*blocks, *legend])


def _markdown_table(title: str, head: list[str], cells: Cells) -> str:
    rule = ["---" if name in _LEFT else "---:" for name in head]
    lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *cells)]
    return "\n".join([f"### {markdown_cell(title)}", "", *lines])


_NAMES = ("label", "method", "student", "network")
"""Parts of a line's cells that somebody else may have named."""


FORMS: dict[str, Callable[[pd.DataFrame, bool], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}


def _lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in line.items()} for line in table.to_dict("records")]


def _plain(value: Any) -> Any:
    """A cell as JSON has it: pandas says NaN where a row said nothing."""
    if isinstance(value, list | dict | str):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _blocks(table: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Titles, and one line a setting: what several distillation seeds reached stands in the line of the first."""
    groups = table.groupby(["dataset", "test_split", "protocol", "network", "conditions"], sort=False)
    return [
        (_title(*map(str, key)), _lines(part.drop_duplicates("setting")))
        for key, part in groups
        if isinstance(key, tuple)
    ]


def _title(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _in_lines(lines: list[dict[str, Any]], details: bool) -> bool:
    """Whether a block has one line a row; otherwise it is a table of methods by ipc."""
    return details or len({line["ipc"] for line in lines}) == 1


def _cells(lines: list[dict[str, Any]], details: bool) -> Cells:
    return _row_by_row(lines) if _in_lines(lines, details) else ByIpc(lines).cells()


def _row_by_row(lines: list[dict[str, Any]]) -> Cells:
    """Head and body; columns that would say the same, or nothing, in every line are left out."""
    columns: dict[str, list[str]] = {
        "method": [line["label"] + (" *" if line["best"] else " ~" if line["unranked"] else "") for line in lines],
        "ipc": [str(line["ipc"]) for line in lines],
        "roc-auc": [_measured(line["over_seeds"]["score"]) if line["roc_auc"] else "" for line in lines],
        "accuracy": [_measured(line["over_seeds"]["accuracy"]) for line in lines],
        "published": [percent(line["published"], line["published_std"]) for line in lines],
        "selection": [line["selection"] + (" !" if line["selection"] == "oracle" else "") for line in lines],
        "distilled": [_seeds(line["over_seeds"]["distillation_seeds"]) for line in lines],
        "seeds": [str(line["over_seeds"]["networks"]) for line in lines],
        "seconds": [duration(line["seconds"]) for line in lines],
        "items": ["" if pd.isna(line["items"]) else str(line["items"]) for line in lines],
        "bytes": [size(line["bytes"]) for line in lines],
        "charged": [size(sum(line["charged"].values())) if line["charged"] else "" for line in lines],
        "points/kB": [per_kilobyte(line["accuracy_per_byte"]) for line in lines],
        "labels": [str(line["label_versions"]) if line["label_versions"] > 1 else "" for line in lines],
        "teachers": [size(sum(line["teachers"].values())) if line["teachers"] else "" for line in lines],
        "rate": [f"{line['lr']:.3g}" if line["lr_policy"] == "search" else "" for line in lines],
        "student": shown_students(lines),
    }
    columns = {name: column for name, column in columns.items() if name not in _OPTIONAL or any(column)}
    return [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]


def _measured(found: dict[str, float | None]) -> str:
    """Mean and standard deviations in percent; of a single value there is none."""
    said = plus_minus(found)
    return f"{100 * (found['mean'] or 0.0):.1f}{f' ± {said}' if said else ''} %"


def _seeds(seeds: list[int | None]) -> str:
    """Which distillation seeds a line is about; nothing where it is one."""
    return "" if len(seeds) < 2 else f"seeds {', '.join(map(str, seeds))}"


_OPTIONAL = ("roc-auc", "distilled", "items", "charged", "published", "student", "labels", "teachers", "rate")
_LEFT = ("method", "selection", "distilled", "student")


def _aligned(row: list[str], head: list[str], widths: list[int]) -> str:
    cells = [
        cell.ljust(width) if name in _LEFT else cell.rjust(width)
        for cell, name, width in zip(row, head, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _legend(table: pd.DataFrame, details: bool) -> list[str]:
    """What the marks and columns of the blocks above mean, and what rows note of themselves."""
    blocks = [lines for _, lines in _blocks(table)]
    by_ipc = [lines for lines in blocks if not _in_lines(lines, details)]
    row_by_row = [lines for lines in blocks if _in_lines(lines, details)]
    said = []
    if any(table["best"]):
        said.append("* highest mean of its data set, ipc, protocol and network")
    if "oracle" in set(table["selection"]):
        said.append("! chosen on the test split: flattered, never ranked")
    shown = [("published", row_by_row), ("in brackets", by_ipc)]
    if names := [name for name, part in shown if any(pd.notna(line["published"]) for lines in part for line in lines)]:
        said.append(f"{', '.join(names)}: as printed elsewhere, sources with --format json; the protocol may differ")
    if any(table["unranked"]):
        said.append("~ never the best, for the reason noted below")
    lines = _lines(table)
    several = any(len(line["over_seeds"]["distillation_seeds"]) > 1 for line in lines)
    single = all(len(line["seeds"]) == 1 for line in lines)
    spread = "" if single else " ± population std over the evaluation seeds"
    said.append(f"accuracy: top-1 on the test split, mean{'' if several else spread}")
    if several:
        said.append(SEVERAL)
    if "roc-auc" in set(table["metric"]):
        said.append("roc-auc: area under the curve on the test split, by which graphs are ranked")
    if any(table["charged"]) and row_by_row:
        said.append("charged: bytes as the method's paper counts them; bytes: as they are stored")
    if row_by_row:
        said.append("seconds: of distillation; bytes: to store the set; points/kB: accuracy in % by 1000 bytes")
    if by_ipc:
        further = any(ByIpc(lines).has_further_lines for lines in by_ipc)
        repeated = "; a method's further lines are rows of other settings" if further else ""
        metrics = " or ".join(m for m in ("accuracy", "roc-auc") if m in set(table["metric"]))
        said.append(f"by ipc: {metrics} in %, best mean first{repeated}")
        said.append("seeds, selection and cost: ddbench leaderboard --details")
    notes: dict[str, list[str]] = {}
    for line in lines:
        if said_of_itself := "; ".join(filter(None, (line["unranked"], line["note"]))):
            notes.setdefault(said_of_itself, []).append(line["label"])
    said.extend(f"{', '.join(dict.fromkeys(labels))}: {note}" for note, labels in notes.items())
    return ["\n".join(said)]
