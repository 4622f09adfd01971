"""Rows that answer a question already, so that no set is evaluated twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.evaluate.leaderboard.row import Row, folder_of, load_rows
from ddbench.evaluate.leaderboard.test_split import EvalSplit


def known_rows(results: Path, dataset: str, ipc: int, **facts: Any) -> Iterator[Row]:
    """Find rows of a data set at an ipc.

    Args:
        results: Folder of results; it need not exist.
        dataset: Name of the real set.
        ipc: Images, or graphs, per class.
        facts: Values that fields of the row have.

    Yields:
        The rows that have them all, in the order of their paths.

    Raises:
        UserError: A file in the folder is not a row.
    """
    folder = folder_of(results, dataset, ipc)
    for row in load_rows([folder]) if folder.exists() else []:
        if all(getattr(row, name) == value for name, value in facts.items()):
            yield row


def with_pools(row: Row, names: Sequence[str]) -> Row:
    """Add names of network pools to those that a row was requested with.

    Args:
        row: Row of one network.
        names: Names of pools; those that the row has already are not added again.

    Returns:
        The row with all names.
    """
    return replace(row, pool=",".join(dict.fromkeys((*row.pools, *names))) or None)


def completed(row: Row, results: Path, tested_on: EvalSplit | None, pools: Sequence[str] = ()) -> tuple[Row, Path]:
    """Add to a known row what it does not say yet.

    Args:
        row: The row, as it lies in ``results``.
        results: Folder of results.
        tested_on: Identity of the test split, for rows of the time when they did not have one.
        pools: Names of the network pools that it is requested with now.

    Returns:
        The row and its file, which is written anew only where the row has changed.
    """
    whole = replace(with_pools(row, pools), tested_on=row.tested_on or tested_on)
    return whole, row.path(results) if whole == row else whole.save(results)
