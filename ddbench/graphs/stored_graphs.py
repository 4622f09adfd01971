"""Graphs as they lie in a file: small integers only, and an undirected edge once where that loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ddbench.graphs.graphs import Graphs
from ddbench.graphs.integer_packing import packed, unpacked

Edges = tuple[Tensor, Tensor]
"""Ends of edges, (2, m), and their codes, (m, R)."""


def _once_of_sorted(ends: Tensor, codes: Tensor) -> Edges:
    forward = ends[0] <= ends[1]
    return ends[:, forward], codes[forward]


def _all_of_sorted(ends: Tensor, codes: Tensor) -> Edges:
    back = ends[0] != ends[1]
    ends, codes = torch.cat([ends, ends.flip(0)[:, back]], 1), torch.cat([codes, codes[back]])
    order = ends[1].argsort(stable=True)
    order = order[ends[0, order].argsort(stable=True)]
    return ends[:, order], codes[order]


def _once_of_pairs(ends: Tensor, codes: Tensor) -> Edges:
    return ends[:, ::2], codes[::2]


def _all_of_pairs(ends: Tensor, codes: Tensor) -> Edges:
    return torch.stack([ends, ends.flip(0)], 2).flatten(1), codes.repeat_interleave(2, 0)


LAYOUTS: dict[str, tuple[Callable[[Tensor, Tensor], Edges], Callable[[Tensor, Tensor], Edges]]] = {
    "edges_sorted": (_once_of_sorted, _all_of_sorted),
    "edges_paired": (_once_of_pairs, _all_of_pairs),
    "edges": (lambda ends, codes: (ends, codes), lambda ends, codes: (ends, codes)),
}
"""How edges are stored and read, by the tensor's name: each undirected edge once where all are sorted by source and
target, or where each is followed by its reverse; else as they are."""


def pack_graphs(graphs: Graphs) -> dict[str, Tensor]:
    """Pack all that is needed to have graphs again, but for their classes; nodes are counted in each graph.

    Args:
        graphs: The graphs.

    Returns:
        Tensors by name, in the smallest unsigned integers.
    """
    whole = graphs.edge_index, graphs.edge_features
    name = next(name for name in LAYOUTS if _loses_nothing(whole, name))
    ends, codes = LAYOUTS[name][0](*whole)
    graph = graphs.graph_of_node[ends[0]]
    return {
        "node_counts": packed(graphs.node_counts),
        "edge_counts": packed(torch.bincount(graph, minlength=len(graphs))),
        name: packed(ends - graphs.node_ptr[graph]),
        "node_features": packed(graphs.node_features),
        **({"edge_features": packed(codes)} if codes.shape[1] else {}),
    }


def _loses_nothing(whole: Edges, layout: str) -> bool:
    once, everything = LAYOUTS[layout]
    return all(torch.equal(read, wanted) for read, wanted in zip(everything(*once(*whole)), whole, strict=True))


def unpack_graphs(tensors: Mapping[str, Tensor], y: Tensor) -> Graphs:
    """Rebuild graphs from a file.

    Args:
        tensors: What :func:`pack_graphs` wrote.
        y: Class of each graph, (G,), int64.

    Returns:
        The graphs.

    Raises:
        ValueError: The tensors can be no graphs.
    """
    nodes, counts = unpacked(tensors, "node_counts"), unpacked(tensors, "edge_counts")
    name = next((layout for layout in LAYOUTS if layout in tensors), "edges")
    ends, features = unpacked(tensors, name, 2), unpacked(tensors, "node_features", 2)
    codes = unpacked(tensors, "edge_features", 2) if "edge_features" in tensors else ends.new_zeros(ends.shape[1], 0)
    if len(nodes) != len(y) or len(counts) != len(y) or int(nodes.sum()) != len(features):
        raise ValueError(f"{len(nodes)} graphs of {int(nodes.sum())} nodes for {len(y)} labels, {len(features)} nodes")
    if len(ends) != 2 or int(counts.sum()) != ends.shape[1] or len(codes) != ends.shape[1]:
        raise ValueError(f"edges {tuple(ends.shape)} with {len(codes)} codes, but {int(counts.sum())} are counted")
    graph = torch.repeat_interleave(counts)
    if bool((ends >= nodes[graph]).any()):
        raise ValueError("an edge leads out of its graph")
    node_ptr = torch.cat([nodes.new_zeros(1), nodes.cumsum(0)])
    ends, codes = LAYOUTS[name][1](ends + node_ptr[graph], codes)
    return Graphs(node_features=features, node_ptr=node_ptr, edge_index=ends, edge_features=codes, y=y)
