"""Numbers for short sequences of integers, by the sequences themselves and not by hashes of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

UNSEEN = -1


class Numbering:
    """Sequences of integers, numbered 0, 1, 2 ... in the order in which they are first met; equal ones alike.

    Many sequences travel as two arrays.

    Args:
        values: int64, one sequence after the other.
        ends: Where each stops, (n,).
    """

    def __init__(self, values: np.ndarray, ends: np.ndarray) -> None:
        self._numbers: dict[bytes, int] = {}
        number = self._numbers.setdefault
        numbers = (number(key, len(self._numbers)) for key in _keys(values, ends))
        self.ids = np.fromiter(numbers, np.int64, len(ends))

    def __len__(self) -> int:
        return len(self._numbers)

    def look_up(self, values: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Find the numbers of sequences.

        Args:
            values: int64, one sequence after the other.
            ends: Where each stops, (n,).

        Returns:
            (n,), int64; ``UNSEEN`` for sequences that were never met.
        """
        return np.fromiter((self._numbers.get(key, UNSEEN) for key in _keys(values, ends)), np.int64, len(ends))

    @cached_property
    def first(self) -> np.ndarray:
        """Where each number was met first among the sequences, (len(self),), int64."""
        return np.flatnonzero(np.diff(np.maximum.accumulate(self.ids), prepend=-1))

    @cached_property
    def sequences(self) -> tuple[np.ndarray, np.ndarray]:
        """The different sequences in the order of their numbers, as values and ends."""
        ends = np.fromiter((len(key) // 8 for key in self._numbers), np.int64, len(self)).cumsum()
        return np.frombuffer(b"".join(self._numbers), np.int64), ends


def _keys(values: np.ndarray, ends: np.ndarray):
    text, stops = values.tobytes(), (8 * ends).tolist()
    return (text[begin:end] for begin, end in zip([0, *stops], stops, strict=False))


def rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn the rows of a table into sequences.

    Args:
        table: (n, k), integers.

    Returns:
        Values and ends.
    """
    return np.ascontiguousarray(table, np.int64).reshape(-1), np.arange(1, len(table) + 1) * table.shape[1]


def trees(labels: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn each node's label and then, sorted, its children into sequences.

    Args:
        labels: (n,).
        counts: Number of children of each, (n,).
        codes: Children, (counts.sum(),), not negative, those of node 0 first.

    Returns:
        Values and ends.
    """
    ends = (counts + 1).cumsum()
    parents = np.repeat(np.arange(len(labels)), counts)
    values = np.empty(len(labels) + len(codes), np.int64)
    first = ends - counts - 1
    values[first] = labels
    held = np.ones(len(values), bool)
    held[first] = False
    values[held] = codes[np.lexsort((codes, parents))]
    return values, ends


def parts(counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Find the parts of some rows among those of all.

    Args:
        counts: Number of parts of each row, (n,).
        chosen: Rows, (k,).

    Returns:
        Positions of the parts, row by row.
    """
    mine = counts[chosen]
    begin = (counts.cumsum() - counts)[chosen]
    return np.arange(mine.sum()) + np.repeat(begin - mine.cumsum() + mine, mine)
