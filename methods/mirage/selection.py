"""From trees to the sets that are kept of each class: thresholds, mining, the rule for shared sets, the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.methods.mirage.eclat import TreeSet, by_frequency
from ddbench.methods.mirage.loss import require_sets
from ddbench.methods.mirage.mining import Mining
from ddbench.methods.mirage.shared_sets import Sharing, each_once, unshared
from ddbench.methods.mirage.thresholds import Threshold


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """The sets of trees that Mirage keeps."""

    mining: Mining
    """The trees of all classes."""
    shared: Sharing
    """What becomes of sets that are frequent in several classes."""
    thetas: Sequence[int]
    """Threshold of each class, in graphs."""
    mined: Sequence[int]
    """How many sets were frequent in each class."""
    sets: Sequence[Sequence[TreeSet]]
    """Those kept of each class, most frequent first."""
    ended: Mapping[int, str]
    """Why a class has fewer than were wanted."""

    @property
    def items(self) -> list[TreeSet]:
        """All sets, class by class."""
        return [trees for of_class in self.sets for trees in of_class]

    @property
    def counts(self) -> list[int]:
        """How many sets each class has."""
        return [len(of_class) for of_class in self.sets]

    @property
    def charged(self) -> int:
        """Bytes of all sets written out, as the paper counts them."""
        return sum(map(self.mining.charged, self.items))

    def labels(self) -> tuple[Tensor, Tensor]:
        """Label the items, and count the graphs that have them.

        Returns:
            Hard labels (S,), int64, and how many graphs of its class have each set, (S,). Where sets are shared, the
            classes' shares among the graphs that have each set, (S, classes), float32, and how many those are, (S,).
        """
        supports = torch.tensor([self.mining.support(trees) for trees in self.items])
        if self.shared == "soft":
            total = supports.sum(1)
            return supports / total[:, None], total
        classes = torch.repeat_interleave(torch.arange(len(self.counts)), torch.tensor(self.counts))
        return classes, supports.gather(1, classes[:, None])[:, 0]

    def notes(self) -> list[str]:
        """Describe the selection for readers of results.

        Returns:
            Sentences.
        """
        sentences = [f"thresholds of {plus(self.thetas)} graphs: {plus(self.mined)} patterns, {plus(self.counts)} kept"]
        if self.mining.miner == "compat":
            sentences.append("mined as by pyfpgrowth 1.0, which leaves out some frequent sets")
        for label, why in self.ended.items():
            sentences.append(f"class {self.mining.class_names[label]!r} has fewer items than were wanted: {why}")
        return sentences

    def facts(self) -> dict[str, Any]:
        """Describe the selection in numbers, one a class.

        Returns:
            JSON; "coverage" is the share of a class's graphs that have at least one tree it keeps.
        """
        classes = zip(self.mining.classes, self.sets, strict=True)
        covered = [held.covered({tree for trees in sets for tree in trees}) for held, sets in classes]
        return {
            "thetas": list(self.thetas),
            "mined": list(self.mined),
            "kept": self.counts,
            "coverage": [count / size for count, size in zip(covered, self.mining.sizes, strict=True)],
        }


def select(mining: Mining, threshold: Threshold, shared: Sharing, ipc: int) -> Selection:
    """Choose at most ``ipc`` sets of each class.

    Args:
        mining: The trees of all classes.
        threshold: Way to come by thresholds.
        shared: What becomes of sets that are frequent in several classes.
        ipc: Items of a class, at most.

    Returns:
        The chosen sets.

    Raises:
        UserError: A class keeps none; or thresholds leave more than ``ipc`` sets of a class, do not fit the classes, or
            let too many sets be frequent.
    """
    thetas, ended = threshold.thetas(mining, shared, ipc)
    mined = mining.at(thetas)
    require_sets(mining, thetas, mined, shared, ended, threshold.written)
    if shared == "drop":
        sets = threshold.cut(unshared(mined), mining, ipc)
    else:
        sets = each_once(
            threshold.cut([by_frequency(frequent) for frequent in mined], mining, ipc), mined, mining.sizes
        )
    most = max(map(len, sets))
    if most > ipc:
        raise UserError(
            f"the thresholds leave {plus(map(len, sets))} items: set ipc: {most}",
            f"ipc    {ipc}",
            f"thetas {plus(thetas)}",
            fix=f"set ipc: {most}, {threshold.fewer}, or let ipc decide (threshold: items)",
        )
    return Selection(mining=mining, shared=shared, thetas=thetas, mined=list(map(len, mined)), sets=sets, ended=ended)


def plus(numbers: Iterable[int]) -> str:
    """Write numbers of the classes in one line.

    Args:
        numbers: One a class.

    Returns:
        ``3 + 5``.
    """
    return " + ".join(map(str, numbers))
