"""To which class a frequent tree set belongs, where it is frequent in more than one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ddbench.methods.mirage.eclat import TreeSet, by_frequency

Sharing = Literal["drop", "soft"]
"""A set that is frequent in several classes is dropped from all, or kept once with a soft label."""


def unshared(mined: Sequence[Mapping[TreeSet, int]]) -> list[list[TreeSet]]:
    """Drop the sets that are frequent in more than one class.

    Args:
        mined: Support of the frequent sets of each class.

    Returns:
        The other sets of each class, most frequent first.

    Source: Gupta et al. 2024, released scripts of NCI1 and IMDB-B, which know two classes. Differs: any number.
    """
    counts = []
    for label, sets in enumerate(mined):
        others = [other for place, other in enumerate(mined) if place != label]
        counts.append([trees for trees in by_frequency(sets) if not any(trees in other for other in others)])
    return counts


def each_once(
    lists: Sequence[Sequence[TreeSet]], mined: Sequence[Mapping[TreeSet, int]], sizes: Sequence[int]
) -> list[list[TreeSet]]:
    """Keep every set in one class only: that of which it takes the largest share; ties: the first.

    Args:
        lists: Sets of each class, among those mined in it.
        mined: Support of the frequent sets of each class.
        sizes: Graphs of each class.

    Returns:
        The sets of each class, in the order of its list.
    """
    share: dict[TreeSet, float] = {}
    owner: dict[TreeSet, int] = {}
    for label, sets in enumerate(lists):
        for trees in sets:
            here = mined[label][trees] / sizes[label]
            if here > share.get(trees, 0.0):
                share[trees], owner[trees] = here, label
    return [[trees for trees in sets if owner[trees] == label] for label, sets in enumerate(lists)]
