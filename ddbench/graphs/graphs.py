"""Labeled graphs as flat arrays, one graph after the other, and the way to and from PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True, eq=False, kw_only=True)
class Graphs:
    """Graphs as flat arrays, one after the other, on the CPU; all are int64.

    Raises:
        ValueError: The arrays do not fit together, which is a mistake of the caller's.
    """

    node_features: Tensor
    """(n, F) categorical codes from 0, F >= 1."""
    node_ptr: Tensor
    """(G + 1,); the nodes of graph g are ``node_ptr[g]:node_ptr[g + 1]``."""
    edge_index: Tensor
    """(2, m), source above target, numbers of nodes over all graphs, sorted by graph; an undirected edge is there in
    both directions."""
    edge_features: Tensor
    """(m, R) codes, R may be 0."""
    y: Tensor
    """(G,) classes."""

    def __post_init__(self) -> None:
        tensors = self.tensors()
        if any(tensor.dtype != torch.int64 for tensor in tensors.values()):
            raise ValueError(f"graphs are int64, not { ({name: t.dtype for name, t in tensors.items()}) }")
        nodes, edges = len(self.node_features), self.edge_index.shape[1]
        steps = self.node_ptr.diff()
        if self.node_ptr[0] != 0 or self.node_ptr[-1] != nodes or (steps < 0).any() or len(steps) != len(self.y):
            raise ValueError(f"node_ptr does not divide {nodes} nodes among {len(self.y)} graphs")
        if self.edge_index.shape[0] != 2 or len(self.edge_features) != edges:
            raise ValueError(f"{tuple(self.edge_index.shape)} edges, {len(self.edge_features)} rows of edge features")
        if edges and not 0 <= int(self.edge_index.min()) <= int(self.edge_index.max()) < nodes:
            raise ValueError(f"an edge names a node that is not among the {nodes}")
        ends = self.graph_of_node[self.edge_index]
        if (ends[0] != ends[1]).any() or (ends[0].diff() < 0).any():
            raise ValueError("edges join two graphs, or are not sorted by graph")

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def node_counts(self) -> Tensor:
        """Nodes of each graph, (G,)."""
        return self.node_ptr.diff()

    @cached_property
    def graph_of_node(self) -> Tensor:
        """The graph to which each node belongs, (n,)."""
        return torch.repeat_interleave(torch.arange(len(self)), self.node_counts)

    @cached_property
    def edge_counts(self) -> Tensor:
        """Directed edges of each graph, (G,): twice the undirected ones."""
        return torch.bincount(self.graph_of_node[self.edge_index[0]], minlength=len(self))

    @cached_property
    def edge_ptr(self) -> Tensor:
        """Where the edges of each graph begin, (G + 1,), as node_ptr for nodes."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), self.edge_counts.cumsum(0)])

    @cached_property
    def degree(self) -> Tensor:
        """Incoming edges of each node, (n,)."""
        return torch.bincount(self.edge_index[1], minlength=len(self.node_features))

    def nodes_of(self, g: int) -> slice:
        """Find the nodes of a graph.

        Args:
            g: Number of the graph.

        Returns:
            Slice of the rows of ``node_features``.
        """
        return slice(int(self.node_ptr[g]), int(self.node_ptr[g + 1]))

    def edges_of(self, g: int) -> slice:
        """Find the edges of a graph.

        Args:
            g: Number of the graph.

        Returns:
            Slice of the columns of ``edge_index``.
        """
        return slice(int(self.edge_ptr[g]), int(self.edge_ptr[g + 1]))

    def subset(self, rows: Tensor) -> Graphs:
        """Take some graphs, in the order given.

        Args:
            rows: Positions, (k,), int64; a position may be there more than once.

        Returns:
            Those graphs.
        """
        nodes, node_ptr = _ranges(self.node_ptr, rows)
        edges, edge_ptr = _ranges(self.edge_ptr, rows)
        moved = torch.repeat_interleave(node_ptr[:-1] - self.node_ptr[rows], edge_ptr.diff())
        return Graphs(
            node_features=self.node_features[nodes],
            node_ptr=node_ptr,
            edge_index=self.edge_index[:, edges] + moved,
            edge_features=self.edge_features[edges],
            y=self.y[rows],
        )

    def to_pyg(self) -> list[Data]:
        """Turn the graphs into PyG's.

        Returns:
            One ``Data`` a graph: x (nodes, F), edge_index in the graph's own numbers, edge_attr where R > 0, y (1,).
        """
        from torch_geometric.data import Data

        made = []
        for g in range(len(self)):
            nodes, edges = self.nodes_of(g), self.edges_of(g)
            more = {"edge_attr": self.edge_features[edges]} if self.edge_features.shape[1] else {}
            made.append(
                Data(
                    x=self.node_features[nodes],
                    edge_index=self.edge_index[:, edges] - nodes.start,
                    y=self.y[g : g + 1],
                    **more,
                )
            )
        return made

    def tensors(self) -> dict[str, Tensor]:
        """List the five arrays for a file.

        Returns:
            Arrays by name; ``Graphs(**tensors)`` is the way back.
        """
        return {
            "node_features": self.node_features,
            "node_ptr": self.node_ptr,
            "edge_index": self.edge_index,
            "edge_features": self.edge_features,
            "y": self.y,
        }


def graphs_from_pyg(sequence: Sequence[Data], *, where: str = "") -> Graphs:
    """Join PyG graphs, with their node and edge labels as codes.

    A one-hot x of floats (or bools) becomes one column of positions, and columns of integers stay; without any x, a
    node's degree is its label. The same holds for edge_attr; without it, R = 0. Each graph has one integer y; where no
    graph has any, all are -1. Edges are taken as they are: an undirected edge is expected in both directions, as PyG
    has it, and an edge that is there once is a directed one.

    Args:
        sequence: PyG's ``Data``, one a graph.
        where: The recipe's line, for errors; may be empty.

    Returns:
        The graphs, one after the other.

    Raises:
        UserError: Labels are continuous or negative, graphs differ in what they have, or edges lead to nodes that are
            not there.
    """
    from ddbench.graphs.from_pyg import arrays_of

    arrays: dict[str, Any] = arrays_of(sequence, where)
    return Graphs(**arrays)


def _ranges(ptr: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Positions in ``ptr[r]:ptr[r + 1]`` for every row r in turn, and where each row's part begins among them."""
    counts = ptr.diff()[rows]
    begin = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    shift = torch.repeat_interleave(ptr[rows] - begin[:-1], counts)
    return torch.arange(int(begin[-1])) + shift, begin
