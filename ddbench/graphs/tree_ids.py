"""Numbers for short sequences of integers, by the sequences themselves and not by hashes of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

UNSEEN = -1


class Numbering:
    """Sequences of integers, numbered 0, 1, 2 ... in the order in which they are first met; equal ones alike.

    Many sequences travel as two arrays: ``values``, int64, one sequence after the other, and ``ends``, (n,), where each
    stops.
    """

    def __init__(self, values: np.ndarray, ends: np.ndarray) -> None:
        self._numbers: dict[bytes, int] = {}
        number = self._numbers.setdefault
        found = (number(key, len(self._numbers)) for key in _keys(values, ends))
        self.ids = np.fromiter(found, np.int64, len(ends))

    def __len__(self) -> int:
        return len(self._numbers)

    def look_up(self, values: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The number of each sequence, (n,), int64; ``UNSEEN`` for sequences that were never met."""
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
    """The rows of an (n, k) table as sequences: values and ends."""
    return np.ascontiguousarray(table, np.int64).reshape(-1), np.arange(1, len(table) + 1) * table.shape[1]


def trees(labels: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each node's label and then, sorted, its children, as sequences: values and ends.

    Args:
        labels: (n,).
        counts: (n,), how many children each has.
        codes: (counts.sum(),), not negative, those of node 0 first.
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
    """Where the parts of these rows, (k,), lie among those of all, row by row;

    Args:
        counts: (n,), how many each row has.
    """
    mine = counts[chosen]
    begin = (counts.cumsum() - counts)[chosen]
    return np.arange(mine.sum()) + np.repeat(begin - mine.cumsum() + mine, mine)
