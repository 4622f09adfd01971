"""Computation trees of PyG graphs as integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ddbench.graphs.refine import refine

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from ddbench.graphs.graphs import Graphs


def computation_tree_ids(graphs: Sequence[Data] | Graphs, hops: int) -> list[np.ndarray]:
    """Number the computation trees of graphs.

    Equal ids, over all graphs, stand exactly for isomorphic trees; every node has one, an isolated node too. Ids are 0,
    1, 2 ... in the order of first occurrence.

    Args:
        graphs: PyG graphs with one-hot or integer x (without x the degree is the label) and, where edges have labels,
            edge_attr; or ``Graphs``. An undirected edge is there in both directions.
        hops: Depth of the trees, 0 to 64.

    Returns:
        For each graph the ids of its nodes' trees, (nodes,), int64.

    Raises:
        UserError: Labels are continuous, or hops are below 0 or above 64.
    """
    from ddbench.graphs.graphs import Graphs, graphs_from_pyg

    flat = graphs if isinstance(graphs, Graphs) else graphs_from_pyg(graphs)
    ids = refine(flat, hops).ids[-1]
    return [ids[flat.nodes_of(g)] for g in range(len(flat))]
