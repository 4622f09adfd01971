"""Graphs as sets of computation trees, one bit a graph: what mining counts on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ddbench.graphs.graphs import Graphs


@dataclass(frozen=True, eq=False, kw_only=True)
class Transactions:
    """Trees that each of the ``size`` graphs of one class has; how often a graph has a tree does not count."""

    size: int
    """Graphs of the class."""
    support: np.ndarray
    """(trees,), in how many graphs each tree is."""
    graphs: np.ndarray
    """Those of tree 0, then those of tree 1, ..., as numbers within the class."""
    ends: np.ndarray
    """(trees,), where the graphs of each tree stop."""

    def bits(self, tree: int) -> int:
        """Collect the graphs that have a tree.

        Args:
            tree: Id of the tree.

        Returns:
            An integer whose bits are the graphs of the class.
        """
        end = int(self.ends[tree])
        held = np.zeros(self.size, bool)
        held[self.graphs[end - int(self.support[tree]) : end]] = True
        return int.from_bytes(np.packbits(held, bitorder="little").tobytes(), "little")

    def frequent(self, theta: int) -> dict[int, int]:
        """Collect the frequent trees.

        Args:
            theta: Graphs that must have a tree.

        Returns:
            The bits of each such tree, most frequent first, ties by id.
        """
        trees = np.flatnonzero(self.support >= theta)
        order = np.argsort(-self.support[trees], kind="stable")
        return {tree: self.bits(tree) for tree in trees[order].tolist()}

    def support_of(self, trees: Iterable[int]) -> int:
        """Count the graphs in which trees are together.

        Args:
            trees: Ids of trees, one at the least.

        Returns:
            Graphs.
        """
        return reduce(int.__and__, map(self.bits, trees)).bit_count()

    def covered(self, trees: Iterable[int]) -> int:
        """Count the graphs that have at least one of some trees.

        Args:
            trees: Ids of trees; may be empty.

        Returns:
            Graphs.
        """
        return reduce(int.__or__, map(self.bits, trees), 0).bit_count()


def transactions(graphs: Graphs, ids: np.ndarray, trees: int, classes: int) -> tuple[Transactions, ...]:
    """Collect which graphs of each class have which trees.

    The tree of a node without neighbors is left out, as the released code does: it has no edge to send along.

    Args:
        graphs: Graphs with their classes.
        ids: Tree of every node, (n,).
        trees: Number of different trees.
        classes: Number of classes.

    Returns:
        One a class.
    """
    graph_of_node, y = graphs.graph_of_node.numpy(), graphs.y.numpy()
    linked = graphs.degree.numpy() > 0
    made = []
    for label in range(classes):
        mine = y == label
        size = max(int(mine.sum()), 1)
        place = np.cumsum(mine) - 1
        nodes = mine[graph_of_node] & linked
        pairs = np.unique(ids[nodes] * size + place[graph_of_node[nodes]])
        tree, graph = np.divmod(pairs, size)
        support = np.bincount(tree, minlength=trees)
        made.append(Transactions(size=int(mine.sum()), support=support, graphs=graph, ends=support.cumsum()))
    return tuple(made)
