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

    Args:
        form: "text", "markdown", "csv" (accuracies and seeds joined by ";") or "json" (a list of objects, see
            ``ddbench.evaluate.leaderboard.ranking.entry``).
        details: In text and markdown, one line a row with seeds, selection and cost; without, a block of several ipcs
            is a table of methods by ipc.

    Raises:
        UserError: Another form.
    """
    if form not in FORMS:
        raise unknown("format", form, FORMS)
    return FORMS[form](leaderboard(rows), details)


def as_json(table: pd.DataFrame, details: bool = True) -> str:
    del details
    return json.dumps([{key: _plain(value) for key, value in record.items()} for record in _records(table)], indent=2)


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
    for title, records in _blocks(table):
        head, *cells = _cells(records, details)
        widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
        text = [_aligned(row, head, widths) for row in cells]
        if _is_by_row(records, details):
            for number in reversed(range(1, len(records))):
                if records[number - 1]["ipc"] != records[number]["ipc"]:
                    text.insert(number, "")
        blocks.append("\n".join([title, _aligned(head, head, widths), *text]))
    for title, (head, *cells) in pool_blocks(_records(table)):
        widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
        blocks.append("\n".join([title, *(_aligned(row, head, widths) for row in (head, *cells))]))
    return printable("\n\n".join([*blocks, *_legend(table, details)]), keep="\n")


def as_markdown(table: pd.DataFrame, details: bool = False) -> str:
    if table.empty:
        return "There are no rows yet."
    blocks = []
    for title, records in _blocks(table):
        escaped = [
            {**record, **{key: markdown_cell(record[key]) for key in _NAMES if isinstance(record[key], str)}}
            for record in records
        ]
        head, *cells = [[" ".join(cell.split()) for cell in row] for row in _cells(escaped, details)]
        blocks.append(_markdown_table(title, head, cells))
    for title, (head, *cells) in pool_blocks(_records(table)):
        blocks.append(_markdown_table(title, head, [[markdown_cell(cell) for cell in row] for row in cells]))
    legend = ["\n".join(markdown_cell(record) for record in part.split("\n")) for part in _legend(table, details)]
    return "\n\n".join([*blocks, *legend])


def _markdown_table(title: str, head: list[str], cells: Cells) -> str:
    rule = ["---" if name in _LEFT else "---:" for name in head]
    records = ["| " + " | ".join(row) + " |" for row in (head, rule, *cells)]
    return "\n".join([f"### {markdown_cell(title)}", "", *records])


_NAMES = ("label", "method", "student", "network")
"""Parts of a line's cells that somebody else may have named."""


FORMS: dict[str, Callable[[pd.DataFrame, bool], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in record.items()} for record in table.to_dict("records")]


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
        (_title(*map(str, key)), _records(part.drop_duplicates("setting")))
        for key, part in groups
        if isinstance(key, tuple)
    ]


def _title(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _is_by_row(records: list[dict[str, Any]], details: bool) -> bool:
    """Whether a block has one line a row; otherwise it is a table of methods by ipc."""
    return details or len({record["ipc"] for record in records}) == 1


def _cells(records: list[dict[str, Any]], details: bool) -> Cells:
    return _row_by_row(records) if _is_by_row(records, details) else ByIpc(records).cells()


def _row_by_row(records: list[dict[str, Any]]) -> Cells:
    """Head and body; columns that would say the same, or nothing, in every line are left out."""
    columns: dict[str, list[str]] = {
        "method": [
            record["label"] + (" *" if record["best"] else " ~" if record["unranked"] else "") for record in records
        ],
        "ipc": [str(record["ipc"]) for record in records],
        "roc-auc": [_mean_and_spread(record["over_seeds"]["score"]) if record["roc_auc"] else "" for record in records],
        "accuracy": [_mean_and_spread(record["over_seeds"]["accuracy"]) for record in records],
        "published": [percent(record["published"], record["published_std"]) for record in records],
        "selection": [record["selection"] + (" !" if record["selection"] == "oracle" else "") for record in records],
        "distilled": [_seeds(record["over_seeds"]["distillation_seeds"]) for record in records],
        "seeds": [str(record["over_seeds"]["networks"]) for record in records],
        "seconds": [duration(record["seconds"]) for record in records],
        "items": ["" if pd.isna(record["items"]) else str(record["items"]) for record in records],
        "bytes": [size(record["bytes"]) for record in records],
        "charged": [size(sum(record["charged"].values())) if record["charged"] else "" for record in records],
        "points/kB": [per_kilobyte(record["accuracy_per_byte"]) for record in records],
        "labels": [str(record["label_versions"]) if record["label_versions"] > 1 else "" for record in records],
        "teachers": [size(sum(record["teachers"].values())) if record["teachers"] else "" for record in records],
        "rate": [f"{record['lr']:.3g}" if record["lr_policy"] == "search" else "" for record in records],
        "student": shown_students(records),
    }
    columns = {name: column for name, column in columns.items() if name not in _OPTIONAL or any(column)}
    return [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]


def _mean_and_spread(measured: dict[str, float | None]) -> str:
    """Mean and standard deviations in percent; of a single value there is none."""
    said = plus_minus(measured)
    return f"{100 * (measured['mean'] or 0.0):.1f}{f' ± {said}' if said else ''} %"


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
    blocks = [records for _, records in _blocks(table)]
    by_ipc = [records for records in blocks if not _is_by_row(records, details)]
    row_by_row = [records for records in blocks if _is_by_row(records, details)]
    said = []
    if any(table["best"]):
        said.append("* highest mean of its data set, ipc, protocol and network")
    if "oracle" in set(table["selection"]):
        said.append("! chosen on the test split: flattered, never ranked")
    shown = [("published", row_by_row), ("in brackets", by_ipc)]
    if names := [
        name for name, part in shown if any(pd.notna(record["published"]) for records in part for record in records)
    ]:
        said.append(f"{', '.join(names)}: as printed elsewhere, sources with --format json; the protocol may differ")
    if any(table["unranked"]):
        said.append("~ never the best, for the reason noted below")
    records = _records(table)
    several = any(len(record["over_seeds"]["distillation_seeds"]) > 1 for record in records)
    single = all(len(record["seeds"]) == 1 for record in records)
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
        further = any(ByIpc(records).has_further_lines for records in by_ipc)
        repeated = "; a method's further lines are rows of other settings" if further else ""
        metrics = " or ".join(m for m in ("accuracy", "roc-auc") if m in set(table["metric"]))
        said.append(f"by ipc: {metrics} in %, best mean first{repeated}")
        said.append("seeds, selection and cost: ddbench leaderboard --details")
    notes: dict[str, list[str]] = {}
    for record in records:
        if said_of_itself := "; ".join(filter(None, (record["unranked"], record["note"]))):
            notes.setdefault(said_of_itself, []).append(record["label"])
    said.extend(f"{', '.join(dict.fromkeys(labels))}: {note}" for note, labels in notes.items())
    return ["\n".join(said)]
