"""Sets trained on several networks: methods against networks, for each data set, ipc and protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ddbench.evaluate.leaderboard.page.page_rows import PageRow
from ddbench.evaluate.leaderboard.ranking import GROUP

_SHARED = [key for key in GROUP if key != "network"]


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """One set, on several networks."""

    label: str
    """Method of the set."""
    student: str
    """Network that it was distilled with; empty for none."""
    cells: Mapping[str, PageRow]
    """Rows by network."""

    @property
    def mean(self) -> float:
        """Mean over the networks, a fraction."""
        return fmean(page_row.mean for page_row in self.cells.values())

    @property
    def no_learning(self) -> bool:
        """True where no set was distilled."""
        return next(iter(self.cells.values())).no_learning


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Sets of one data set, ipc and protocol against networks."""

    first: PageRow
    """A row that says what all share."""
    networks: Sequence[str]
    """Columns."""
    lines: Sequence[MatrixRow]
    """Sets, the best mean first."""
    pool: str
    """Pool that all rows were evaluated by; empty for none, or several."""
    students: bool
    """Whether sets were distilled with several networks."""

    @property
    def networks_json(self) -> str:
        """Columns as JSON, for scripts."""
        return json.dumps(self.networks)


def matrices(page_rows: Sequence[PageRow]) -> list[Matrix]:
    """Make a matrix wherever a method has honest rows on two networks or more.

    Args:
        page_rows: Rows of the page.

    Returns:
        Matrices, in the order of the rows. A line is one set, never the best rows of several; rows of other rates or
        teachers are in a matrix of their own.
    """
    alike: dict[tuple[object, ...], list[PageRow]] = {}
    for page_row in page_rows:
        if not page_row.oracle:
            alike.setdefault(tuple(page_row.entry[key] for key in _SHARED), []).append(page_row)
    return [matrix for part in alike.values() if (matrix := _matrix(part)).lines]


def _matrix(page_rows: list[PageRow]) -> Matrix:
    sets: dict[tuple[str, str, str], dict[str, PageRow]] = {}
    for page_row in page_rows:
        name = page_row.row.label, page_row.row.student or "", page_row.row.synthetic_sha256
        sets.setdefault(name, {}).setdefault(page_row.row.network, page_row)
    several = [(name, cells) for name, cells in sets.items() if len(cells) > 1]
    several.sort(key=lambda one: (-fmean(page_row.mean for page_row in one[1].values()), one[0]))
    pools = {page_row.row.pool for page_row in page_rows}
    return Matrix(
        first=page_rows[0],
        networks=sorted({network for _, cells in several for network in cells}),
        lines=[MatrixRow(label=label, student=student, cells=cells) for (label, student, _), cells in several],
        pool=(page_rows[0].row.pool or "") if len(pools) == 1 else "",
        students=len({student for (_, student, _), _ in several if student}) > 1,
    )
