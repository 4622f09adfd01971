"""The leaderboard as text for a terminal, Markdown, CSV, JSON or LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, percent, size
from ddbench.evaluate.leaderboard.ipc_table import ByIpc, shown_students
from ddbench.evaluate.leaderboard.network_table import pool_blocks
from ddbench.evaluate.leaderboard.over_seeds import SEVERAL, plus_minus
from ddbench.evaluate.leaderboard.ranking import leaderboard
from ddbench.evaluate.leaderboard.row import Row
from ddbench.files.plain_text import markdown_cell, printable
from ddbench.files.tables import Report, Table

Cells = list[list[str]]
Escape = Callable[[str], str]


def render(rows: Sequence[Row], form: str = "text", details: bool = False) -> str:
    """Write the leaderboard of these rows, without a newline at its end.

    Args:
        rows: Of any settings.
        form: One of ``ddbench.files.tables.FORMS``: in CSV, accuracies and seeds are joined by ";"; JSON is a list of
            objects, see ``ddbench.evaluate.leaderboard.ranking.entries``.
        details: In text, Markdown and LaTeX, one line a row with seeds, selection and cost; without, a block of several
            ipcs is a table of methods by ipc.

    Returns:
        The text.

    Raises:
        UserError: Another form.
    """
    table = leaderboard(rows)
    escape = markdown_cell if form == "markdown" else printable
    columns = [column for column in table.columns if column not in _NESTED]
    return Report(
        blocks=["There are no rows yet."] if table.empty else _report(table, details, escape, form == "text"),
        records=[_flat(record) for record in _records(table)],
        document=[{key: _plain(value) for key, value in record.items()} for record in _records(table)],
        columns=columns,
    ).write(form)


_NESTED = ("bytes_by_part", "charged", "teachers", "tested_on", "over_seeds")
"""Columns whose values are objects, which CSV does not hold."""


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A row as CSV has it."""
    return {
        key: ";".join(map(str, value)) if isinstance(value, list) else value
        for key, value in record.items()
        if key not in _NESTED
    }


def _report(table: pd.DataFrame, details: bool, escape: Escape, gaps: bool) -> list[Table | str]:
    """One block for each data set, protocol and network; the best of each ipc is marked ``*``, an oracle ``!``."""
    blocks: list[Table | str] = []
    for title, records in _blocks(table):
        shown = [{**record, **_escaped(record, escape)} for record in records]
        head, *cells = _cells(shown, details)
        if gaps and _is_by_row(records, details):
            for number in reversed(range(1, len(records))):
                if records[number - 1]["ipc"] != records[number]["ipc"]:
                    cells.insert(number, [])
        blocks.append(Table(title=printable(title), heads=head, rows=cells, left=_LEFT, escaped=True))
    for title, (head, *cells) in pool_blocks(_records(table)):
        rows = [[escape(cell) for cell in row] for row in cells]
        blocks.append(Table(title=printable(title), heads=head, rows=rows, left=_LEFT, escaped=True))
    legend = "\n".join(_legend(table, details)).split("\n")
    return [*blocks, "\n".join(map(escape, legend))]


def _escaped(record: dict[str, Any], escape: Escape) -> dict[str, str]:
    """Parts of a line's cells that somebody else may have named."""
    names = ("label", "method", "student", "network")
    return {name: escape(record[name]) for name in names if isinstance(record[name], str)}


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
    spread = plus_minus(measured)
    return f"{100 * (measured['mean'] or 0.0):.1f}{f' ± {spread}' if spread else ''} %"


def _seeds(seeds: list[int | None]) -> str:
    """Which distillation seeds a line is about; nothing where it is one."""
    return "" if len(seeds) < 2 else f"seeds {', '.join(map(str, seeds))}"


_OPTIONAL = ("roc-auc", "distilled", "items", "charged", "published", "student", "labels", "teachers", "rate")
_LEFT = ("method", "selection", "distilled", "student")


def _legend(table: pd.DataFrame, details: bool) -> list[str]:
    """What the marks and columns of the blocks above mean, and what rows note of themselves."""
    blocks = [records for _, records in _blocks(table)]
    by_ipc = [records for records in blocks if not _is_by_row(records, details)]
    row_by_row = [records for records in blocks if _is_by_row(records, details)]
    sentences = []
    if any(table["best"]):
        sentences.append("* highest mean of its data set, ipc, protocol and network")
    if "oracle" in set(table["selection"]):
        sentences.append("! chosen on the test split: flattered, never ranked")
    shown = [("published", row_by_row), ("in brackets", by_ipc)]
    if names := [
        name for name, part in shown if any(pd.notna(record["published"]) for records in part for record in records)
    ]:
        sentences.append(
            f"{', '.join(names)}: as printed elsewhere, sources with --format json; the protocol may differ"
        )
    if any(table["unranked"]):
        sentences.append("~ never the best, for the reason noted below")
    records = _records(table)
    several = any(len(record["over_seeds"]["distillation_seeds"]) > 1 for record in records)
    single = all(len(record["seeds"]) == 1 for record in records)
    spread = "" if single else " ± population std over the evaluation seeds"
    sentences.append(f"accuracy: top-1 on the test split, mean{'' if several else spread}")
    if several:
        sentences.append(SEVERAL)
    if "roc-auc" in set(table["metric"]):
        sentences.append("roc-auc: area under the curve on the test split, by which graphs are ranked")
    if any(table["charged"]) and row_by_row:
        sentences.append("charged: bytes as the method's paper counts them; bytes: as they are stored")
    if row_by_row:
        sentences.append("seconds: of distillation; bytes: to store the set; points/kB: accuracy in % by 1000 bytes")
    if by_ipc:
        further = any(ByIpc(records).has_further_lines for records in by_ipc)
        repeated = "; a method's further lines are rows of other settings" if further else ""
        metrics = " or ".join(m for m in ("accuracy", "roc-auc") if m in set(table["metric"]))
        sentences.append(f"by ipc: {metrics} in %, best mean first{repeated}")
        sentences.append("seeds, selection and cost: ddbench leaderboard --details")
    notes: dict[str, list[str]] = {}
    for record in records:
        if said_of_itself := "; ".join(filter(None, (record["unranked"], record["note"]))):
            notes.setdefault(said_of_itself, []).append(record["label"])
    sentences.extend(f"{', '.join(dict.fromkeys(labels))}: {note}" for note, labels in notes.items())
    return ["\n".join(sentences)]
