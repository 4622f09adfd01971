"""Refinement of nodes by their computation trees: integer ids, level by level, without building a tree.

The computation tree of h hops of a node has the node's label at its root and below it, for every incoming edge, a
branch with the edge's label and the tree of h - 1 hops of the node it comes from. It is all that h layers of message
passing can see. Two nodes have the same tree exactly when their labels are equal and so are their sorted lists of (edge
label, id of the neighbor's tree one level lower): that list is the key, itself and not a hash of it.
Source: Gupta et al., ICLR 2024 (arXiv:2310.09486), for the trees; color refinement (Weisfeiler and Leman, 1968).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ddbench.errors import UserError
from ddbench.graphs.tree_ids import UNSEEN, Numbering, rows, trees

if TYPE_CHECKING:
    from ddbench.graphs.graphs import Graphs

MOST_HOPS = 64
LARGEST = 2**53
"""Sizes of unfolded trees are exact below this, and are given as this from here on."""


class Tree(NamedTuple):
    """Key of a tree: two trees are equal exactly when their keys are."""

    codes: tuple[int, ...]
    """Codes of the root."""
    degree: int | None
    """Its degree; None where degrees are no part of the label."""
    branches: tuple[tuple[tuple[int, ...], int], ...]
    """For each child the codes of its edge, and the id of its tree one level lower."""


class Keys(NamedTuple):
    """The keys of all trees of one level, in the order of ids, as flat arrays."""

    labels: np.ndarray
    """(count,), positions in ``Refinement.labels``."""
    counts: np.ndarray
    """(count,), branches of each tree."""
    edges: np.ndarray
    """(counts.sum(),), for each branch the position in ``Refinement.edge_labels``."""
    children: np.ndarray
    """(counts.sum(),), for each branch the id of its tree one level lower."""

    @property
    def parents(self) -> np.ndarray:
        """For each branch the id of the tree it belongs to."""
        return np.repeat(np.arange(len(self.labels)), self.counts)


@dataclass(frozen=True, eq=False)
class Refinement:
    """Ids of computation trees of 0 to ``hops`` hops, one numbering a level; made by :func:`refine`."""

    with_degrees: bool
    """Whether the degree of a node is part of its label."""
    labels: np.ndarray
    """The different labels of nodes, (labels, F), or (labels, F + 1) with degrees, which come last."""
    edge_labels: np.ndarray
    """The different labels of edges, (edge labels, R)."""
    edges: Numbering
    """The numbering of edge labels."""
    levels: tuple[Numbering, ...]
    """The numberings of trees: of labels, which are the trees of 0 hops, and of trees of 1 ... ``hops`` hops."""

    @property
    def hops(self) -> int:
        """Depth of the largest trees."""
        return len(self.levels) - 1

    @property
    def ids(self) -> tuple[np.ndarray, ...]:
        """For each level the tree of every node, (n,), int64: 0, 1, 2 ... in the order of first occurrence."""
        return tuple(level.ids for level in self.levels)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many different trees each level has."""
        return tuple(len(level) for level in self.levels)

    def look_up(self, graphs: Graphs) -> tuple[np.ndarray, ...]:
        """Find the ids of other graphs' trees.

        A tree with an unseen part is unseen.

        Args:
            graphs: Graphs with the same columns of labels.

        Returns:
            Level by level the tree of every node, (n,), int64; -1 for a tree that was never seen.

        Raises:
            ValueError: The graphs have other columns.
        """
        arrays = _Arrays(graphs, self.with_degrees)
        if arrays.labels.shape[1] != self.labels.shape[1] or arrays.edge_labels.shape[1] != self.edge_labels.shape[1]:
            raise ValueError("these graphs have more or fewer columns of labels than those that were refined")
        edges = self.edges.look_up(*rows(arrays.edge_labels))
        ids = [self.levels[0].look_up(*rows(arrays.labels))]
        for level in self.levels[1:]:
            codes = _codes(edges, ids[-1][arrays.sources], len(self.edges))
            ids.append(level.look_up(*trees(ids[0], arrays.counts, codes)))
        return tuple(ids)

    @cached_property
    def keys(self) -> tuple[Keys, ...]:
        """For each level the keys of its trees."""
        none = np.empty(0, np.int64)
        levels = [Keys(np.arange(len(self.labels)), np.zeros(len(self.labels), np.int64), none, none)]
        for level in self.levels[1:]:
            values, ends = level.sequences
            counts = np.diff(ends, prepend=0) - 1
            first = ends - counts - 1
            children, edges = np.divmod(np.delete(values, first) - 1, max(len(self.edges), 1))
            levels.append(Keys(values[first], counts, edges, children))
        return tuple(levels)

    def tree(self, level: int, id: int) -> Tree:
        """Read the key of one tree.

        Args:
            level: Hops of the tree.
            id: Its id in that level.

        Returns:
            The key.
        """
        keys = self.keys[level]
        codes = tuple(self.labels[keys.labels[id]].tolist())
        end = int(keys.counts[: id + 1].sum())
        mine = slice(end - int(keys.counts[id]), end)
        edges = (tuple(row) for row in self.edge_labels[keys.edges[mine]].tolist())
        branches = tuple(zip(edges, keys.children[mine].tolist(), strict=True))
        return Tree(codes[:-1], codes[-1], branches) if self.with_degrees else Tree(codes, None, branches)

    def unfolded_sizes(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Count nodes and edges of every tree of a level when it is written out.

        They are added up along the keys: no tree is unfolded. Exact below 2 ** 53.

        Args:
            level: Hops of the trees.

        Returns:
            Nodes and edges, (count,) each, int64.
        """
        nodes = np.ones(len(self.labels), np.int64)
        for keys in self.keys[1 : level + 1]:
            nodes = grown(nodes[keys.children], keys.parents, len(keys.labels))
        return nodes, nodes - 1


def refine(graphs: Graphs, hops: int, *, with_degrees: bool = False) -> Refinement:
    """Number the computation trees of all nodes; isolated nodes are trees of one node.

    Memory and time grow with nodes and edges and not with the size of the trees.

    Args:
        graphs: The graphs.
        hops: Depth of the largest trees, 0 to 64.
        with_degrees: Whether two trees are the same only if all their nodes also have the same degrees, which matters
            at the leaves.

    Returns:
        Ids of all trees, level by level.

    Raises:
        UserError: Hops are negative or above 64.
    """
    if not 0 <= hops <= MOST_HOPS:
        raise UserError(
            f"computation trees can not have {hops} hops",
            fix=f"choose 1 to {MOST_HOPS}: as many as the networks have layers",
        )
    arrays = _Arrays(graphs, with_degrees)
    levels, edges = [Numbering(*rows(arrays.labels))], Numbering(*rows(arrays.edge_labels))
    for _ in range(hops):
        codes = _codes(edges.ids, levels[-1].ids[arrays.sources], len(edges))
        levels.append(Numbering(*trees(levels[0].ids, arrays.counts, codes)))
    labels, edge_labels = arrays.labels[levels[0].first], arrays.edge_labels[edges.first]
    return Refinement(with_degrees, labels, edge_labels, edges, tuple(levels))


def grown(branches: np.ndarray, parents: np.ndarray, count: int) -> np.ndarray:
    """Count the nodes of trees from those of their branches.

    Args:
        branches: Nodes of each branch, (b,).
        parents: Tree that each branch belongs to, (b,).
        count: Number of trees.

    Returns:
        (count,), int64, 2 ** 53 at most.
    """
    nodes = 1 + np.bincount(parents, weights=branches.astype(np.float64), minlength=count)
    return np.minimum(nodes, LARGEST).astype(np.int64)


class _Arrays:
    """Labels of nodes and edges, and each node's incoming edges together, in the order of the nodes."""

    def __init__(self, graphs: Graphs, with_degrees: bool) -> None:
        source, target = graphs.edge_index.numpy()
        by_target = np.argsort(target, kind="stable")
        self.sources = source[by_target]
        self.counts = np.bincount(target, minlength=len(graphs.node_features))
        self.edge_labels = graphs.edge_features.numpy()[by_target]
        self.labels = graphs.node_features.numpy()
        if with_degrees:
            self.labels = np.column_stack([self.labels, self.counts])


def _codes(edges: np.ndarray, children: np.ndarray, edge_count: int) -> np.ndarray:
    """One number from 1 for each branch, and 0 where its edge label or its tree is unseen."""
    return np.where((edges == UNSEEN) | (children == UNSEEN), 0, children * edge_count + edges + 1)
