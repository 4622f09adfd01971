"""Computation trees of which every different subtree is held once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ddbench.graphs.refine import MOST_HOPS, grown
from ddbench.graphs.tree_ids import Numbering, parts, rows, trees

MOST_NODES = 50_000_000
"""As many nodes as trees may have when they are written out, and as many branches as a file may have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedTrees:
    """A DAG of trees, level by level: an entry of level h is a tree of h hops, its branches lead to entries of h - 1.

    Flat int64 arrays; N entries, those of level 0 first.

    Raises:
        ValueError: Any of this is not so, or an entry is there twice.
    """

    sizes: np.ndarray
    """(hops + 1,), entries of each level."""
    node_labels: np.ndarray
    """(labels, F), the different labels of nodes."""
    edge_labels: np.ndarray
    """(edge labels, R), the different labels of edges."""
    labels: np.ndarray
    """(N,), rows of ``node_labels``."""
    degrees: np.ndarray
    """(N,), how many neighbors the root has in its graph, and above level 0 as many branches."""
    edges: np.ndarray
    """(branches,), rows of ``edge_labels``."""
    children: np.ndarray
    """(branches,), the entries they lead to, those of the first entry's branches first."""

    def __post_init__(self) -> None:
        entries, branches = len(self.labels), len(self.children)
        if not 1 <= len(self.sizes) <= MOST_HOPS + 1 or self.sizes.sum() != entries or (self.sizes < 0).any():
            raise ValueError(f"levels of {self.sizes.tolist()[: MOST_HOPS + 1]} entries are not {entries} entries")
        if len(self.degrees) != entries or len(self.edges) != branches or self.branches.sum() != branches:
            raise ValueError(f"{len(self.degrees)} degrees and {len(self.edges)} edges for {branches} branches")
        if (entries + branches) * self.hops > MOST_NODES:
            raise ValueError(f"{entries} entries with {branches} branches on {self.hops} levels are too many")
        for name, values, limit in (
            ("node label", self.labels, len(self.node_labels)),
            ("edge label", self.edges, len(self.edge_labels)),
            ("child", self.children, entries),
            ("degree", self.degrees, 2**32),
        ):
            if ((values < 0) | (values >= limit)).any():
                raise ValueError(f"a {name} is not one of {limit}")
        level = np.repeat(np.arange(len(self.sizes)), self.sizes)
        if (level[self.children] != np.repeat(level, self.branches) - 1).any():
            raise ValueError("a branch does not lead one level lower")
        for numbering, size in zip(self.numberings, self.sizes.tolist(), strict=True):
            if (numbering.ids[:size] != np.arange(size)).any():
                raise ValueError("a tree is there twice")

    @property
    def hops(self) -> int:
        """Depth of the largest trees."""
        return len(self.sizes) - 1

    @cached_property
    def starts(self) -> np.ndarray:
        """The first entry of each level, (hops + 1,)."""
        return self.sizes.cumsum() - self.sizes

    @cached_property
    def branches(self) -> np.ndarray:
        """How many branches each entry has, (N,)."""
        return np.concatenate([np.zeros(self.sizes[0], np.int64), self.degrees[self.sizes[0] :]])

    @cached_property
    def numberings(self) -> tuple[Numbering, ...]:
        """What all trees of at least k hops look like up to k hops, numbered, for every level k; see :meth:`_cut`."""
        return self._cut(rows(np.column_stack([self.labels, self.degrees])))

    def _cut(self, leaves: tuple[np.ndarray, np.ndarray]) -> tuple[Numbering, ...]:
        """For every level k, the entries from that level up, cut off after k hops, numbered: equal ones alike.

        leaves: what the root of each entry is where nothing is below it. The entries of level k itself, which no cut
        changes, are the first of each numbering.
        """
        numberings = [Numbering(*leaves)]
        for level, start in enumerate(self.starts.tolist()[1:], 1):
            first = self.branches[:start].sum()
            below = numberings[-1].ids[self.children[first:] - self.starts[level - 1]]
            codes = below * len(self.edge_labels) + self.edges[first:]
            numberings.append(Numbering(*trees(self.labels[start:], self.branches[start:], codes)))
        return tuple(numberings)

    def branches_of(self, entries: np.ndarray) -> np.ndarray:
        """Find the branches of some entries.

        Args:
            entries: (k,).

        Returns:
            Positions in ``edges`` and ``children``, entry by entry.
        """
        return parts(self.branches, entries)

    @cached_property
    def unfolded_nodes(self) -> np.ndarray:
        """Nodes of every entry when it is written out, (N,); exact below 2 ** 53, and no tree is unfolded for it."""
        nodes = np.ones(len(self.labels), np.int64)
        for start, size in zip(self.starts.tolist()[1:], self.sizes.tolist()[1:], strict=True):
            mine = np.arange(start, start + size)
            parents = np.repeat(np.arange(size), self.branches[mine])
            nodes[mine] = grown(nodes[self.children[self.branches_of(mine)]], parents, size)
        return nodes

    def unfold(self, roots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Write trees out.

        The roots are the first t nodes; parents and edges are those of the nodes after them.

        Args:
            roots: Entries whose trees are written out, (t,).

        Returns:
            For every node its entry, its parent's number, and its edge, a row of ``edge_labels``.
        """
        entries, parents, edges = [roots], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        before = 0
        for _ in range(self.hops):
            above = entries[-1]
            at = self.branches_of(above)
            parents.append(np.repeat(np.arange(before, before + len(above)), self.branches[above]))
            entries.append(self.children[at])
            edges.append(self.edges[at])
            before += len(above)
        return np.concatenate(entries), np.concatenate(parents), np.concatenate(edges)

    def without_degrees(self) -> SharedTrees:
        """Merge the trees that differ in degrees of leaves only.

        Returns:
            The same trees, the degrees of leaves being 0.
        """
        same = self._cut(rows(self.labels[:, None]))
        first_entries = [n.first[n.first < size] for n, size in zip(same, self.sizes.tolist(), strict=True)]
        sizes = np.array([len(level) for level in first_entries])
        starts = sizes.cumsum() - sizes
        at = np.concatenate([level + start for level, start in zip(first_entries, self.starts.tolist(), strict=True)])
        moved = np.concatenate(
            [n.ids[:size] + start for n, size, start in zip(same, self.sizes.tolist(), starts.tolist(), strict=True)]
        )
        branches = self.branches_of(at)
        return SharedTrees(
            sizes=sizes,
            node_labels=self.node_labels,
            edge_labels=self.edge_labels,
            labels=self.labels[at],
            degrees=self.branches[at],
            edges=self.edges[branches],
            children=moved[self.children[branches]],
        )
