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
    """For each graph the ids of its nodes' computation trees of ``hops`` hops, (nodes,), int64.

    Args:
        graphs: PyG graphs with one-hot or integer x (without x the degree is the label) and, where edges have labels,
            edge_attr; or ``Graphs``. An undirected edge is there in both directions. Equal ids, over all graphs,
            exactly for isomorphic trees; every node has one, an isolated node too. Ids are 0, 1, 2 ... in the order of
            first occurrence.

    Raises:
        UserError: Continuous labels, and for hops below 0 or above 64.
    """
    from ddbench.graphs.graphs import Graphs, graphs_from_pyg

    flat = graphs if isinstance(graphs, Graphs) else graphs_from_pyg(graphs)
    ids = refine(flat, hops).ids[-1]
    return [ids[flat.nodes_of(g)] for g in range(len(flat))]
