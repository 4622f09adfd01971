"""Frequent sets of trees: depth first, by intersecting integers whose bits are graphs.

Source: Zaki 2000 (Scalable Algorithms for Association Mining, IEEE TKDE 12), Eclat. Differs: trees are ordered anew in
every branch, most frequent first, as FP-growth (Han, Pei and Yin, SIGMOD 2000) does, so that what a released FP-growth
leaves out can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping

TreeSet = tuple[int, ...]
"""Ids of trees, ascending."""
_Held = list[tuple[int, int, int]]
"""Trees with their graphs, as bits, and how many those are; most frequent first."""

COMPARISONS = 20
"""Intersections for each set that is allowed, so that a search that finds few sets in many trees ends as well."""


class TooManySets(Exception):
    """Raised where the search finds, or would look at, more sets than it may."""


def frequent_sets(rows: Mapping[int, int], theta: int, most: int, *, compat: bool = False) -> dict[TreeSet, int]:
    """Find every set of trees that enough graphs have in common.

    Args:
        rows: For each tree the graphs that have it, as the bits of an integer.
        theta: Graphs that must have a set.
        most: Sets that may be found; ``COMPARISONS`` times as many intersections may be made.
        compat: Whether the sets are left out that pyfpgrowth 1.0, with which Mirage was published, does not find.

    Returns:
        The support of each set: the number of graphs that have all its trees.

    Raises:
        TooManySets: The bounds are passed, in time and memory proportional to ``most``.

    Source: when the conditional tree of a suffix branches, the suffix itself is not given out, but only what is longer
    (issue 6 of github.com/evandempsey/fp-growth). The conditional tree is a single path exactly when the graphs of each
    tree in it are among those of the tree before it.

    Differs: none where each graph lists its trees in the order of their ids, which decides among trees that are equally
    frequent.
    """
    supports: dict[TreeSet, int] = {}
    visited = compared = 0

    def visit(suffix: TreeSet, support: int, held: _Held) -> None:
        nonlocal visited, compared
        visited += 1
        compared += len(held) * (len(held) - 1) // 2
        if visited > most or 2 ** len(suffix) - 1 > most or compared > COMPARISONS * most:
            raise TooManySets
        if not compat or _single_path(held):
            supports[tuple(sorted(suffix))] = support
        grow(suffix, held)

    def grow(suffix: TreeSet, held: _Held) -> None:
        for place in reversed(range(len(held))):  # the branch with most trees first: an explosion shows at once
            tree, graphs, support = held[place]
            both = ((other, bits & graphs) for other, bits, _ in reversed(held[:place]))
            inner = [(other, bits, count) for other, bits in both if (count := bits.bit_count()) >= theta]
            inner.sort(key=_support, reverse=True)
            visit((*suffix, tree), support, inner)

    single = ((tree, bits, bits.bit_count()) for tree, bits in sorted(rows.items()))
    top = sorted((held for held in single if held[2] >= theta), key=_support, reverse=True)
    if len(top) * (len(top) - 1) // 2 > COMPARISONS * most:
        raise TooManySets
    if compat and _single_path(top):
        return frequent_sets(rows, theta, most)
    grow((), top)
    return supports


def by_frequency(sets: Mapping[TreeSet, int]) -> list[TreeSet]:
    """Sort sets by support.

    Args:
        sets: Support of each set.

    Returns:
        The sets, largest support first; ties: fewer trees first, then those with smaller ids.
    """
    return sorted(sets, key=lambda trees: (-sets[trees], len(trees), trees))


def _support(held: tuple[int, int, int]) -> int:
    return held[2]


def _single_path(held: _Held) -> bool:
    return all(bits & ~above == 0 for (_, above, _), (_, bits, _) in zip(held, held[1:], strict=False))
