"""The frequent tree sets of every class, at given thresholds or level by level from the most frequent down."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from ddbench.errors import UserError
from ddbench.graphs.refine import Refinement, refine
from ddbench.methods.mirage.eclat import COMPARISONS, TooManySets, TreeSet, by_frequency, frequent_sets
from ddbench.methods.mirage.transactions import Transactions, transactions

if TYPE_CHECKING:
    from ddbench.graphs.graphs import Graphs

Mined = dict[TreeSet, int]
"""The frequent sets of one class, and the support of each."""
Levels = Generator[tuple[int, list[TreeSet]], None, str]
"""Supports, falling, and all sets that have each; at the end, why there are no more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Mining:
    """The trees of labeled graphs, and how they are mined."""

    refinement: Refinement
    """Computation trees of the graphs."""
    columns: int
    """Codes of a node, F."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    classes: tuple[Transactions, ...]
    """Which graphs of each class have which trees."""
    miner: Literal["exact", "compat"]
    """Every frequent set, or those that pyfpgrowth 1.0 finds."""
    most: int
    """Frequent sets of a class at which mining gives up."""

    @property
    def sizes(self) -> list[int]:
        """Graphs of each class."""
        return [held.size for held in self.classes]

    @cached_property
    def tree_bytes(self) -> np.ndarray:
        """Bytes of each tree written out, as the paper counts them, (trees,), int64."""
        nodes, edges = self.refinement.unfolded_sizes(self.refinement.hops)
        return 2 * (nodes * self.columns + 2 * edges)

    def charged(self, trees: TreeSet) -> int:
        """Count the bytes of a set of trees written out, as the paper does.

        Args:
            trees: Ids of trees.

        Returns:
            Bytes.
        """
        return int(self.tree_bytes[list(trees)].sum())

    def support(self, trees: TreeSet) -> list[int]:
        """Count the graphs in which trees are together, whether that is frequent or not.

        Args:
            trees: Ids of trees.

        Returns:
            Graphs of each class.
        """
        return [held.support_of(trees) for held in self.classes]

    def at(self, thetas: Sequence[int]) -> list[Mined]:
        """Find the frequent sets of every class.

        Args:
            thetas: Threshold of each class, in graphs.

        Returns:
            Sets with their support, one mapping a class.

        Raises:
            UserError: A class has more than ``most``.
        """
        return [self.of_class(label, theta) for label, theta in enumerate(thetas)]

    def of_class(self, label: int, theta: int) -> Mined:
        """Find the frequent sets of one class.

        Args:
            label: The class.
            theta: Its threshold, in graphs.

        Returns:
            Sets with their support.

        Raises:
            UserError: There are more than ``most``.
        """
        try:
            return self._mine(label, theta, compat=self.miner == "compat")
        except TooManySets:
            raise UserError(
                f"class {self.class_names[label]!r} has too many frequent tree sets at a threshold of {theta} graphs",
                f"limit  {self.most:,} sets, or {COMPARISONS * self.most:,} comparisons of trees on the way",
                fix="raise its threshold, or let ipc decide (threshold: items), or raise most_patterns",
            ) from None

    def levels(self, label: int) -> Levels:
        """List the sets of one class by support, largest first, ties as :func:`by_frequency` has them; always exact.

        They are mined as they are consumed, at thresholds that fall by a fifth, and where that is too much by less.

        Args:
            label: The class.

        Yields:
            A support, and all sets that have it. The generator returns why there are no more.
        """
        above, lowest = self.sizes[label] + 1, 1
        while above > lowest:
            floor = max(above * 4 // 5, 1 if lowest == 1 else (above + lowest) // 2)
            try:
                mined = self._mine(label, floor, compat=False)
            except TooManySets:
                lowest = floor + 1
                continue
            fresh = [trees for trees in by_frequency(mined) if mined[trees] < above]
            for support, sets in groupby(fresh, key=mined.__getitem__):
                yield support, list(sets)
            above = floor
        return (
            "there are no more" if lowest == 1 else f"below {above} graphs mining passes most_patterns, {self.most:,}"
        )

    def _mine(self, label: int, theta: int, *, compat: bool) -> Mined:
        return frequent_sets(self.classes[label].frequent(theta), theta, self.most, compat=compat)


def mining_of(
    graphs: Graphs, class_names: tuple[str, ...], *, hops: int, miner: Literal["exact", "compat"], most: int
) -> Mining:
    """Compute the trees of graphs, ready to be mined.

    Args:
        graphs: Training graphs with their classes.
        class_names: Names of the classes.
        hops: Depth of the trees.
        miner: Every frequent set, or those that pyfpgrowth 1.0 finds.
        most: Frequent sets of a class at which mining gives up.

    Returns:
        The trees by class.
    """
    refinement = refine(graphs, hops)
    return Mining(
        refinement=refinement,
        columns=graphs.node_features.shape[1],
        class_names=class_names,
        classes=transactions(graphs, refinement.ids[-1], refinement.counts[-1], len(class_names)),
        miner=miner,
        most=most,
    )
