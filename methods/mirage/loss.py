"""Report of classes that keep no tree set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ddbench.errors import UserError
from ddbench.methods.mirage.eclat import TreeSet
from ddbench.methods.mirage.mining import Mined, Mining
from ddbench.methods.mirage.shared_sets import Sharing, unshared

SEARCHED = 100_000
"""Sets of a class among which a threshold is looked for that would have kept one."""


def require_sets(
    mining: Mining,
    thetas: Sequence[int],
    mined: Sequence[Mined],
    shared: Sharing,
    ended: Mapping[int, str],
    written: Callable[[Mining, Sequence[int]], str],
) -> None:
    """Refuse thresholds at which a class keeps no set.

    Args:
        mining: The trees of all classes.
        thetas: Threshold of each class, in graphs.
        mined: Frequent sets of each class.
        shared: What becomes of sets that are frequent in several classes.
        ended: Why thresholds of classes that lack something went no lower, by class.
        written: Gives thresholds as the recipe may write them; empty where it may not.

    Raises:
        UserError: A class keeps no set; names the class, why, and what would help.
    """
    left = unshared(mined) if shared == "drop" else mined
    label = next((label for label, sets in enumerate(left) if not sets), None)
    if label is None:
        return
    count, size = len(mined[label]), mining.sizes[label]
    best = int(mining.classes[label].support.max(initial=0))
    fixes = []
    if written(mining, thetas) and (works := _largest_that_works(mining, mined, shared, label)):
        lower = [works if place == label else theta for place, theta in enumerate(thetas)]
        fixes.append(f"lower its threshold (theta: {written(mining, lower)} keeps one)")
    if count:
        why = f"all {count} sets that {thetas[label]} or more of its {size} graphs have are frequent in another class"
        fixes.append("keep shared sets with soft labels (shared: soft)")
    elif best == 0:
        why = f"none of its {size} graphs has an edge, and trees without edges are not mined"
        fixes.append("choose a method that keeps graphs, such as random-graphs")
    elif label in ended:
        why = ""
    else:
        why = f"no set is in {thetas[label]} of its {size} graphs; the most frequent tree is in {best}"
    if mining.miner == "compat":
        fixes.append("mine every frequent set (miner: exact)")
    raise UserError(
        f"class {mining.class_names[label]!r} keeps no tree set",
        why,
        ended.get(label, ""),
        fix=", or ".join(fixes) or "raise most_patterns, or mine shallower trees (hops), of which there are fewer",
    )


def _largest_that_works(mining: Mining, mined: Sequence[Mined], shared: Sharing, label: int) -> int | None:
    """The largest threshold of a class at which it keeps a set while the others stay as they are; None: unknown."""
    few = replace(mining, most=min(mining.most, SEARCHED))
    others = [sets for place, sets in enumerate(mined) if place != label and shared == "drop"]

    def keeps_one(sets: Iterable[TreeSet]) -> bool:
        return any(not any(trees in other for other in others) for trees in sets)

    for theta, sets in few.levels(label):
        if keeps_one(sets) and (mining.miner == "exact" or keeps_one(few.of_class(label, theta))):
            return theta
    return None
