"""Message passing of graph networks: who sends to whom, layer by layer, for graphs and for shared trees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.refine import refine

if TYPE_CHECKING:
    from ddbench.graphs.forests import Forests


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One round of messages, from E' entries below to E entries above; all int64."""

    own: Tensor
    """(E,), the entry below that is the same node."""
    source: Tensor
    """(c,), the entry below that sends each message, as often as it is sent."""
    target: Tensor
    """(c,), the entry above that receives it."""
    degree_source: Tensor
    """(E',), neighbors that the node of each entry below has in its graph; more than its messages where the node is a
    leaf of a tree."""
    degree_target: Tensor
    """(E,), neighbors that the node of each entry above has in its graph."""

    @property
    def size(self) -> tuple[int, int]:
        """How many entries there are below and above."""
        return len(self.degree_source), len(self.degree_target)

    @cached_property
    def messages(self) -> Tensor:
        """Source above target, (2, c)."""
        return torch.stack([self.source, self.target])

    @cached_property
    def messages_and_own(self) -> Tensor:
        """The messages, then one of every entry from itself, (2, c + E)."""
        above = torch.arange(len(self.own), device=self.own.device)
        return torch.cat([self.messages, torch.stack([self.own, above])], 1)

    @cached_property
    def symmetric_weights(self) -> Tensor:
        """What ``messages_and_own`` weigh in a GCN, (c + E,), float64: 1 / sqrt((d_source + 1) (d_target + 1)).

        Source: Kipf and Welling 2017 (arXiv:1609.02907), equation 2. Differs: nothing on an undirected graph without
        self-loops; a self-loop counts as a neighbor here.
        """
        source, target = self.messages_and_own
        both = (self.degree_source[source] + 1).double() * (self.degree_target[target] + 1).double()
        return both.rsqrt()

    def to(self, device: torch.device | str) -> Layer:
        """Copy to a device.

        Args:
            device: Where the tensors go.

        Returns:
            The copy.
        """
        return Layer(**{name: getattr(self, name).to(device) for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False, kw_only=True)
class Computation:
    """Items, each a set of roots, and everything that a network of ``len(layers)`` layers needs to embed the roots."""

    features: Tensor
    """(E0, F) codes of the entries below the first layer."""
    layers: tuple[Layer, ...]
    """The first reads these entries, each further one those above its predecessor."""
    root: Tensor
    """(T,), entries above the last layer."""
    item: Tensor
    """(T,), the item of each root."""
    items: int
    """Number of items."""

    @cached_property
    def roots_per_item(self) -> Tensor:
        """Number of roots of each item, (items,)."""
        return torch.bincount(self.item, minlength=self.items)

    def to(self, device: torch.device | str) -> Computation:
        """Copy to a device; layers that are one object stay one.

        Args:
            device: Where the tensors go.

        Returns:
            The copy.
        """
        moved = {id(layer): layer.to(device) for layer in self.layers}
        return Computation(
            features=self.features.to(device),
            layers=tuple(moved[id(layer)] for layer in self.layers),
            root=self.root.to(device),
            item=self.item.to(device),
            items=self.items,
        )


def of_graphs(graphs: Graphs, layers: int) -> Computation:
    """Pass messages in graphs as they are: every node is a root, and every layer has the same edges.

    Args:
        graphs: The graphs.
        layers: Layers of the network.

    Returns:
        The computation, one item a graph.
    """
    nodes = torch.arange(len(graphs.node_features))
    layer = Layer(
        own=nodes,
        source=graphs.edge_index[0],
        target=graphs.edge_index[1],
        degree_source=graphs.degree,
        degree_target=graphs.degree,
    )
    return Computation(
        features=graphs.node_features,
        layers=(layer,) * layers,
        root=nodes,
        item=graphs.graph_of_node,
        items=len(graphs),
    )


def of_distinct_trees(graphs: Graphs, layers: int) -> Computation:
    """Pass messages in graphs with every computation tree that several nodes have being embedded once.

    The logits are those of :func:`of_graphs`, but for rounding and for dropout, which would drop the same of all nodes
    with one tree: for networks in eval mode, on graphs that are used many times.

    Args:
        graphs: The graphs.
        layers: Layers of the network.

    Returns:
        The computation, one item a graph.
    """
    trees = [torch.from_numpy(ids) for ids in refine(graphs, layers, with_degrees=True).ids]
    shown = [_first_of_each(ids) for ids in trees]  # the nodes that stand for all with their tree, level by level
    made: list[Layer] = []
    for height in range(1, layers + 1):
        below, above = shown[height - 1], shown[height]
        entry = torch.full((len(graphs.node_features),), -1)
        entry[above] = torch.arange(len(above))
        source, target = graphs.edge_index[:, entry[graphs.edge_index[1]] >= 0]
        made.append(
            Layer(
                own=trees[height - 1][above],
                source=trees[height - 1][source],
                target=entry[target],
                degree_source=graphs.degree[below],
                degree_target=graphs.degree[above],
            )
        )
    return Computation(
        features=graphs.node_features[shown[0]],
        layers=tuple(made),
        root=trees[-1],
        item=graphs.graph_of_node,
        items=len(graphs),
    )


def _first_of_each(ids: Tensor) -> Tensor:
    """The first position of each id 0, 1, 2 ..."""
    return torch.from_numpy(np.unique(ids.numpy(), return_index=True)[1])


def of_forests(forests: Forests, layers: int) -> Computation:
    """Pass messages in forests by their distinct subtrees, so that each is embedded once, however often it occurs.

    Args:
        forests: The forests.
        layers: Layers of the network, at most as many as the trees have hops; of fewer, the lowest entries are those
            subtrees that reach a root in ``layers`` hops.

    Returns:
        The computation, one item an item of the forests.

    Raises:
        UserError: There are more layers than hops.
    """
    if layers > forests.hops:
        raise UserError(
            f"a network of {layers} layers looks further than computation trees of {forests.hops} hops reach",
            fix=f"distill with hops: {layers}, or use a protocol whose networks have {forests.hops} layers or fewer",
        )
    base, *upper = forests.completed()[forests.hops - layers :]
    made, below = [], base
    for level in upper:
        made.append(
            Layer(
                own=level.own.long(),
                source=level.source.long(),
                target=level.target.long(),
                degree_source=below.degree.long(),
                degree_target=level.degree.long(),
            )
        )
        below = level
    return Computation(
        features=base.features.long(),
        layers=tuple(made),
        root=forests.roots.long(),
        item=forests.item_of_root.long(),
        items=len(forests),
    )


def of_payload(payload: Forests | Graphs, layers: int) -> Computation:
    """Pass messages in what a set of graphs holds, whichever of the two it is.

    Args:
        payload: Forests or graphs.
        layers: Layers of the network.

    Returns:
        The computation.

    Raises:
        UserError: There are more layers than trees have hops.
    """
    return of_graphs(payload, layers) if isinstance(payload, Graphs) else of_forests(payload, layers)
