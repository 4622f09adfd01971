"""Levels of shared trees: each layer of a network is evaluated once for each different tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddbench.graphs.shared_trees import SharedTrees


@dataclass(frozen=True, eq=False, kw_only=True)
class Level:
    """Different trees of k hops, E entries: where layer k of a network has its nodes."""

    features: Tensor
    """(E, F), codes of the root."""
    degree: Tensor
    """(E,), the root's true degree."""
    own: Tensor
    """(E,), the entry one level lower that is the same node; empty at level 0."""
    source: Tensor
    """(c,), each child, an entry one level lower; a child that is there twice comes twice."""
    target: Tensor
    """(c,), the parent of each child, an entry of this level."""
    edge_features: Tensor
    """(c, R), codes of the edge between them."""


def completed(trees: SharedTrees) -> tuple[Level, ...]:
    """Complete shared trees to levels: each has the entries of ``trees`` first, in their order, and then what is
    missing below them.

    A layer reads, beside the children, the same node one layer earlier. Its tree is the same tree cut off one hop
    higher, which need not be a part of any.

    Args:
        trees: The trees.

    Returns:
        Levels 0 to hops.
    """
    nothing = np.empty(0, np.int64)
    levels = []
    for k, (numbering, start) in enumerate(zip(trees.numberings, trees.starts.tolist(), strict=True)):
        entries = numbering.first + start
        own, source, target, edges = nothing, nothing, nothing, nothing
        if k:
            lower, at = trees.starts[k - 1], trees.branches_of(entries)
            own = trees.numberings[k - 1].ids[entries - lower]
            source = trees.numberings[k - 1].ids[trees.children[at] - lower]
            target = np.repeat(np.arange(len(entries)), trees.branches[entries])
            edges = trees.edges[at]
        arrays = {
            "features": trees.node_labels[trees.labels[entries]],
            "degree": trees.degrees[entries],
            "own": own,
            "source": source,
            "target": target,
            "edge_features": trees.edge_labels[edges],
        }
        levels.append(Level(**{name: torch.from_numpy(array) for name, array in arrays.items()}))
    return tuple(levels)
