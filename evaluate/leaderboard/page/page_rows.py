"""The rows in the order of the page, each with its rank among its like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.evaluate.graphs.statistics_baselines import NO_LEARNING
from ddbench.evaluate.leaderboard.over_seeds import plus_minus
from ddbench.evaluate.leaderboard.ranking import GROUP, entries
from ddbench.evaluate.leaderboard.row import Row

PANEL = [key for key in GROUP if key != "ipc"]
"""Rows share a chart where all of these are equal."""


ACCURACY, ROC_AUC = "accuracy", "ROC-AUC"


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A row on the page; where a setting was distilled with several seeds, all its rows."""

    key: str
    """Names it in the page and in links to it."""
    row: Row
    """The one of the first seed."""
    runs: tuple[Row, ...]
    """All of the setting, one a seed."""
    facts: dict[str, Any]
    """The row as JSON has it."""
    entry: dict[str, Any]
    """As the leaderboard has it."""
    group: tuple[Any, ...]
    """Values of ``GROUP``: rows that are ranked together share them."""
    panel: tuple[Any, ...]
    """Values of ``PANEL``: rows of one chart share them."""
    rank: int | None
    """1 + how many honest lines of its group have a higher mean, None for one that was chosen on the test split, or is
    never the best for another reason."""
    rivals: int
    """Honest lines in its group."""
    series: str
    """Its curve: the label, with student where that is another network."""
    path: str | None
    """The file it lies in, None where that is not known."""

    @property
    def oracle(self) -> bool:
        """True for a set that was chosen on the test split."""
        return self.row.selection == "oracle"

    @property
    def mean(self) -> float:
        """Mean of the measure that the line is ranked by, over all its runs; a fraction."""
        return self.entry["over_seeds"]["score"]["mean"]

    @property
    def std(self) -> float | None:
        """Over distillation seeds where there are several, else over evaluation seeds; None of a single network."""
        score = self.entry["over_seeds"]["score"]
        return score["evaluation_std"] if score["distillation_std"] is None else score["distillation_std"]

    @property
    def spread(self) -> str:
        """The standard deviations in percent, see ``over_seeds.plus_minus``."""
        return plus_minus(self.entry["over_seeds"]["score"])

    @property
    def best(self) -> bool:
        """True for the first of a group of several."""
        return self.rank == 1 and self.rivals > 1

    @property
    def searched(self) -> bool:
        """True where the learning rate was searched for, instead of the protocol's."""
        return self.row.lr_policy == "search"

    @property
    def policy(self) -> list[str]:
        """Sources of its rate and its labels, in words, where these are not the protocol and the set."""
        labels = ["teachers"] if self.row.teachers else ["stored labels"] if self.row.label_versions > 1 else []
        return [*(["lr searched"] if self.searched else []), *labels]

    @property
    def no_learning(self) -> bool:
        """True where no set was distilled and no network trained, as for statistics of graphs."""
        return self.row.method in NO_LEARNING

    @property
    def measure(self) -> str:
        """Measure that the row is ranked by."""
        return ROC_AUC if self.row.roc_auc else ACCURACY


def row_key(row: Row) -> str:
    """Key of a row, with all it says, under which ``page`` takes the row's path.

    Args:
        row: Row.

    Returns:
        Sixteen digits.
    """
    return fingerprint(plain(asdict(row)))


def page_rows(rows: Sequence[Row], paths: Mapping[str, str]) -> list[PageRow]:
    """Order the rows of a page, one line a setting.

    Args:
        rows: Of any settings.
        paths: Where rows lie, by :func:`row_key`.

    Returns:
        Lines grouped by what was tested on, protocol, network and ipc; within a group the highest mean first, lines
        that are not ranked last.
    """
    described = [plain(entry) for entry in entries(rows)]
    runs: dict[str, list[int]] = {}
    for number, entry in enumerate(described):
        runs.setdefault(entry["setting"], []).append(number)
    first = [sorted(numbers, key=lambda n: (rows[n].made_with_seed or 0, n)) for numbers in runs.values()]
    honest: dict[tuple[Any, ...], list[float]] = {}
    for numbers in first:
        entry = described[numbers[0]]
        if _ranked(rows[numbers[0]]):
            honest.setdefault(tuple(entry[key] for key in GROUP), []).append(entry["over_seeds"]["score"]["mean"])
    seen: Counter[str] = Counter()
    shown = []
    for numbers in first:
        row, entry = rows[numbers[0]], described[numbers[0]]
        exact = row_key(row)
        seen[exact] += 1
        group = tuple(entry[key] for key in GROUP)
        rivals = honest.get(group, [])
        mean = entry["over_seeds"]["score"]["mean"]
        page_row = PageRow(
            key=exact if seen[exact] == 1 else f"{exact}-{seen[exact]}",
            row=row,
            runs=tuple(rows[number] for number in numbers),
            facts=plain(asdict(row)),
            entry=entry,
            group=group,
            panel=tuple(entry[key] for key in PANEL),
            rank=1 + sum(other > mean for other in rivals) if _ranked(row) else None,
            rivals=len(rivals),
            series=row.label if row.student in (None, row.network) else f"{row.label} ({row.student})",
            path=paths.get(exact),
        )
        shown.append(page_row)
    return sorted(shown, key=_sort_key)


def _ranked(row: Row) -> bool:
    return row.selection != "oracle" and not row.unranked


def _sort_key(page_row: PageRow) -> tuple[Any, ...]:
    first = ("dataset", "test_split", "protocol", "network")
    shared = tuple(str(page_row.entry[key]) for key in (*first, *(key for key in PANEL if key not in first)))
    return (*shared, page_row.row.ipc, page_row.oracle, -page_row.mean, page_row.row.method, page_row.row.label)


def measures_of(shown: Iterable[PageRow]) -> str:
    """Measures that rows are ranked by, in words.

    Args:
        shown: Rows of the page.

    Returns:
        Names joined by "or"; "accuracy" without rows.
    """
    measures = {page_row.measure for page_row in shown}
    return " or ".join(measure for measure in (ACCURACY, ROC_AUC) if measure in measures) or ACCURACY


def plain(value: Any) -> Any:
    """A document as JSON has it.

    Args:
        value: Document of dictionaries, lists and tuples.

    Returns:
        The same; tuples are lists, keys texts, and nan and infinite numbers None.
    """
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
