"""To which class a frequent tree set belongs, where it is frequent in more than one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ddbench.methods.mirage.eclat import TreeSet, by_frequency

Sharing = Literal["drop", "soft"]
"""A set that is frequent in several classes is dropped from all, or kept once with a soft label."""


def unshared(mined: Sequence[Mapping[TreeSet, int]]) -> list[list[TreeSet]]:
    """For each class the sets that are frequent in no other, most frequent first.

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
    """Every set in one of the lists it is in, that of the class of which it takes the largest share; ties: the first.

    Args:
        lists: Sets of each class, of those mined in it.
        sizes: Graphs of each class. The order of each list is kept.
    """
    share: dict[TreeSet, float] = {}
    owner: dict[TreeSet, int] = {}
    for label, sets in enumerate(lists):
        for trees in sets:
            here = mined[label][trees] / sizes[label]
            if here > share.get(trees, 0.0):
                share[trees], owner[trees] = here, label
    return [[trees for trees in sets if owner[trees] == label] for label, sets in enumerate(lists)]
