"""Rows and the leaderboard as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.evaluate.leaderboard import row as row_files
from ddbench.evaluate.leaderboard.ranking import leaderboard as ranked
from ddbench.evaluate.leaderboard.row import Row

if TYPE_CHECKING:
    import pandas as pd


def load_rows(path: str | Path | Iterable[str | Path]) -> list[Row]:
    """Read the rows of evaluations.

    Args:
        path: A row, or a folder that is searched for rows, such as ``artifacts/results``; or several of them.

    Returns:
        Every row once, in the order of the paths.

    Raises:
        UserError: A folder does not exist, or a file is no row.
    """
    paths = [path] if isinstance(path, str | Path) else path
    return row_files.load_rows(Path(each) for each in paths)


def leaderboard(rows: Iterable[Row]) -> pd.DataFrame:
    """Rank rows within each setting, with published results beside them.

    Args:
        rows: What to compare, from :func:`load_rows` or :func:`ddbench.run`.

    Returns:
        One line a row, best first within each data set, protocol, network and ipc; ``accuracy_mean``
        and ``accuracy_std``, over evaluation networks, are fractions in [0, 1].
    """
    return ranked(list(rows))
