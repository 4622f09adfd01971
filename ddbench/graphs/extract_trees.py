"""From trees that were found in graphs to the same trees on their own, with true degrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ddbench.graphs.refine import Refinement, refine
from ddbench.graphs.shared_trees import SharedTrees
from ddbench.graphs.tree_ids import parts

if TYPE_CHECKING:
    from ddbench.graphs.graphs import Graphs


def with_true_degrees(graphs: Graphs, refinement: Refinement, ids: np.ndarray) -> SharedTrees:
    """Take trees out of graphs, with true degrees.

    A tree does not say how many neighbors its leaves have: each takes that from its most frequent variant among the
    nodes of ``graphs``, the one met first where several are equally frequent.

    Args:
        graphs: The graphs.
        refinement: Refinement of these graphs.
        ids: Trees of its last level, (k,), ascending.

    Returns:
        The trees; they are the last level, in this order.
    """
    detailed = refine(graphs, refinement.hops, with_degrees=True)
    nodes = np.isin(refinement.ids[-1], ids)
    pairs = np.stack([refinement.ids[-1][nodes], detailed.ids[-1][nodes]])
    (trees, variants), times = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((variants, -times, trees))
    return _shared(detailed, variants[order][np.unique(trees[order], return_index=True)[1]])


def _shared(detailed: Refinement, ids: np.ndarray) -> SharedTrees:
    """Trees of the last level of a refinement with degrees, in this order, and everything below them."""
    levels = [ids]
    for keys in detailed.keys[:0:-1]:
        levels.insert(0, np.unique(keys.children[parts(keys.counts, levels[0])]))
    sizes = np.array([len(level) for level in levels])
    labels = np.concatenate([keys.labels[level] for keys, level in zip(detailed.keys, levels, strict=True)])
    edges, children = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for keys, lower, level, first in zip(
        detailed.keys[1:], levels[:-1], levels[1:], (sizes.cumsum() - sizes).tolist()[:-1], strict=True
    ):
        at = parts(keys.counts, level)
        edges.append(keys.edges[at])
        children.append(np.searchsorted(lower, keys.children[at]) + first)
    node_labels, rows = _used(detailed.labels[:, :-1], labels)
    edge_labels, edge_rows = _used(detailed.edge_labels, np.concatenate(edges))
    return SharedTrees(
        sizes=sizes,
        node_labels=node_labels,
        edge_labels=edge_labels if edge_labels.shape[1] else np.zeros((1, 0), np.int64),
        labels=rows,
        degrees=detailed.labels[labels, -1],
        edges=edge_rows,
        children=np.concatenate(children),
    )


def _used(table: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows of a table that are referred to, and for each reference its row among these."""
    different, at = np.unique(table[rows], axis=0, return_inverse=True)
    return different, at.reshape(-1)
