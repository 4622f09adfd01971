"""Thresholds found from what is wanted: lowered, from the size of each class, until there is enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ddbench.methods.mirage.eclat import TreeSet
from ddbench.methods.mirage.mining import Mining
from ddbench.methods.mirage.shared_sets import Sharing


class Lowered(NamedTuple):
    """Thresholds that were lowered until each class had enough, or could go no lower."""

    thetas: list[int]
    """Threshold of each class, in graphs."""
    ended: Mapping[int, str]
    """Why a class that falls short goes no lower, by class."""


def lowered(mining: Mining, shared: Sharing, weigh: Callable[[TreeSet], int], target: int) -> Lowered:
    """Find the thresholds at which the sets of every class first weigh ``target`` or more together.

    Of the classes that lack something, the one whose threshold is the largest share of its size goes down to its next
    support; ties: the first. Sets that are frequent in several classes weigh in each of them where ``shared`` is soft,
    and nowhere where it is drop: there a class may come to lack something because another goes down. Thresholds never
    rise, so this ends; a class whose sets run out, or become more than may be mined, stays where it is.

    Args:
        mining: The trees of all classes.
        shared: What becomes of sets that are frequent in several classes.
        weigh: Weight of a set: 1 to count items, its bytes for a budget.
        target: Weight that every class should reach.

    Returns:
        One threshold a class, and why classes that fall short go no lower.
    """
    streams = [mining.levels(label) for label in range(len(mining.sizes))]
    thetas = [size + 1 for size in mining.sizes]
    weight = [0] * len(streams)
    holders: dict[TreeSet, list[int]] = {}
    ended: dict[int, str] = {}

    def share(label: int) -> float:
        return thetas[label] / max(mining.sizes[label], 1)

    while lacking := [label for label in range(len(streams)) if weight[label] < target and label not in ended]:
        label = max(lacking, key=share)
        try:
            thetas[label], sets = next(streams[label])
        except StopIteration as stop:
            ended[label] = stop.value
            continue
        for trees in sets:
            held = holders.setdefault(trees, [])
            if shared == "soft" or not held:
                weight[label] += weigh(trees)
            elif len(held) == 1:
                weight[held[0]] -= weigh(trees)
            held.append(label)
    return Lowered(thetas, {label: why for label, why in sorted(ended.items()) if weight[label] < target})
