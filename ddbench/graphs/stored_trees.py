"""Shared trees as they lie in a file: small integers only, branches that repeat counted where that is shorter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ddbench.graphs.integer_packing import packed, stored_bytes, unpacked
from ddbench.graphs.shared_trees import MOST_NODES, SharedTrees


def pack_trees(trees: SharedTrees) -> dict[str, Tensor]:
    """Pack all that is needed to have trees again.

    Children are counted from the first entry of their level. Of entries above level 0 the number of branches is the
    degree; "repeats", where it is there, says how many branches in a row each of ``branches`` stands for.

    Args:
        trees: The trees.

    Returns:
        Tensors by name, in the smallest unsigned integers.
    """
    leaves = int(trees.sizes[0])
    parents = np.repeat(np.arange(len(trees.labels)), trees.branches)
    level = np.repeat(np.arange(len(trees.sizes)), trees.sizes)
    children = trees.children - trees.starts[level[trees.children]]
    alike = np.zeros(len(children), bool)
    alike[1:] = (np.diff(np.stack([parents, trees.children, trees.edges])) == 0).all(0)
    begin = np.flatnonzero(~alike)
    one_by_one = _branches(trees, children, trees.edges, trees.degrees[leaves:])
    counted = {
        **_branches(
            trees, children[begin], trees.edges[begin], np.bincount(parents[begin], minlength=len(level))[leaves:]
        ),
        "repeats": packed(np.diff(begin, append=len(children))),
    }
    return {
        "levels": packed(trees.sizes),
        "node_labels": packed(trees.node_labels),
        **({"edge_labels": packed(trees.edge_labels)} if trees.edge_labels.shape[1] else {}),
        "labels": packed(trees.labels),
        "degrees": packed(trees.degrees[:leaves]),
        **min(one_by_one, counted, key=stored_bytes),
    }


def _branches(trees: SharedTrees, children: np.ndarray, edges: np.ndarray, counts: np.ndarray) -> dict[str, Tensor]:
    edge_tensors = {"edges": packed(edges)} if len(trees.edge_labels) > 1 else {}
    return {"branches": packed(counts), "children": packed(children), **edge_tensors}


def unpack_trees(tensors: Mapping[str, Tensor]) -> SharedTrees:
    """Rebuild trees from a file.

    Args:
        tensors: What :func:`pack_trees` wrote.

    Returns:
        The trees.

    Raises:
        ValueError: The tensors can be no trees.
    """
    sizes, labels, leaf_degrees, counts, children = (
        unpacked(tensors, name).numpy() for name in ("levels", "labels", "degrees", "branches", "children")
    )
    edge_labels = (
        unpacked(tensors, "edge_labels", 2).numpy() if "edge_labels" in tensors else np.zeros((1, 0), np.int64)
    )
    edges = unpacked(tensors, "edges").numpy() if "edges" in tensors else np.zeros_like(children)
    if len(sizes) == 0 or sizes[0] != len(leaf_degrees) or len(labels) != len(leaf_degrees) + len(counts):
        raise ValueError(f"its levels {sizes[:9].tolist()} do not fit {len(labels)} labels and {len(counts)} branches")
    if counts.sum() != len(children) or len(edges) != len(children) or sizes.sum() != len(labels):
        raise ValueError(f"it has {len(children)} children and {len(edges)} edges, but {counts.sum()} are counted")
    parents = np.repeat(np.arange(len(counts)), counts)
    lower = np.repeat(sizes.cumsum() - sizes, np.append(sizes[1:], 0))
    children = children + lower[parents]
    if "repeats" in tensors:
        repeats = unpacked(tensors, "repeats").numpy()
        if len(repeats) != len(children) or repeats.max(initial=0) > MOST_NODES or repeats.sum() > MOST_NODES:
            raise ValueError(f"{repeats.sum()} branches are too many, or not of {len(children)} children")
        parents, children, edges = (np.repeat(values, repeats) for values in (parents, children, edges))
    return SharedTrees(
        sizes=sizes,
        node_labels=unpacked(tensors, "node_labels", 2).numpy(),
        edge_labels=edge_labels,
        labels=labels,
        degrees=np.concatenate([leaf_degrees, np.bincount(parents, minlength=len(counts))]),
        edges=edges,
        children=children,
    )
