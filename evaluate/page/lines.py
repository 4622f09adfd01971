"""The rows in the order of the page, each with its rank among its like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ddbench.artefact import fingerprint
from ddbench.evaluate.graphs.no_learning import NO_LEARNING
from ddbench.evaluate.leaderboard import GROUP, entry
from ddbench.evaluate.rows import Row

PANEL = [key for key in GROUP if key != "ipc"]
"""Rows share a chart where all of these are equal."""


ACCURACY, ROC_AUC = "accuracy", "ROC-AUC"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row on the page.

    key: names it in the page and in links to it. facts: the row as JSON has it. entry: as the leaderboard has it. rank:
    1 + how many honest rows of its group have a higher mean, None for a row that was chosen on the test split. rivals:
    honest rows in its group. series: its curve: the label, with student where that is another network. path: the file
    it lies in, None where that is not known.
    """

    key: str
    row: Row
    facts: dict[str, Any]
    entry: dict[str, Any]
    group: tuple[Any, ...]
    panel: tuple[Any, ...]
    rank: int | None
    rivals: int
    series: str
    path: str | None

    @property
    def oracle(self) -> bool:
        return self.row.selection == "oracle"

    @property
    def best(self) -> bool:
        return self.rank == 1 and self.rivals > 1

    @property
    def searched(self) -> bool:
        """Whether the learning rate was searched for, instead of the protocol's."""
        return self.row.lr_policy == "search"

    @property
    def no_learning(self) -> bool:
        """Whether no set was distilled and no network trained: what the size of a graph says of its class."""
        return self.row.method in NO_LEARNING

    @property
    def measure(self) -> str:
        """What the row is ranked by."""
        return ROC_AUC if self.row.roc_auc else ACCURACY


def row_key(row: Row) -> str:
    """Sixteen digits for a row with all it says, by which ``page`` is told where the row lies."""
    return fingerprint(plain(asdict(row)))


def lines_of(rows: Sequence[Row], paths: Mapping[str, str]) -> list[Line]:
    """Grouped by data set, protocol, network and ipc; within a group the highest mean first, oracle rows last."""
    entries = [plain(entry(row)) for row in rows]
    groups = [tuple(said[key] for key in GROUP) for said in entries]
    panels = [tuple(said[key] for key in PANEL) for said in entries]
    honest: dict[tuple[Any, ...], list[float]] = {group: [] for group in groups}
    for row, group in zip(rows, groups, strict=True):
        if row.selection != "oracle":
            honest[group].append(row.score_mean)
    seen: Counter[str] = Counter()
    found = []
    for row, said, group, panel in zip(rows, entries, groups, panels, strict=True):
        exact = row_key(row)
        seen[exact] += 1
        rivals = honest[group]
        line = Line(
            key=exact if seen[exact] == 1 else f"{exact}-{seen[exact]}",
            row=row,
            facts=plain(asdict(row)),
            entry=said,
            group=group,
            panel=panel,
            rank=None if row.selection == "oracle" else 1 + sum(mean > row.score_mean for mean in rivals),
            rivals=len(rivals),
            series=row.label if row.student in (None, row.network) else f"{row.label} ({row.student})",
            path=paths.get(exact),
        )
        found.append(line)
    return sorted(found, key=_place)


def _place(line: Line) -> tuple[Any, ...]:
    said = line.entry
    row = line.row
    keys = ("dataset", "protocol", "network", *(key for key in PANEL if key not in ("dataset", "protocol", "network")))
    shared = tuple(str(said[key]) for key in keys)
    return (*shared, row.ipc, line.oracle, -row.score_mean, row.method, row.label)


def measures_of(lines: Iterable[Line]) -> str:
    """What these rows are ranked by, in words; "accuracy" where there are none."""
    found = {line.measure for line in lines}
    return " or ".join(measure for measure in (ACCURACY, ROC_AUC) if measure in found) or ACCURACY


def plain(value: Any) -> Any:
    """A document as JSON has it: tuples are lists, and what is no number is None."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
