"""Graph networks by name. Names can be checked and listed without importing torch or PyTorch Geometric.

Every network embeds the categorical columns of a node, passes messages for some layers, adds or averages the nodes of
a graph, and classifies that linearly. None looks at edge features. The readout is part of the name because it decides
much: a sum grows with the graph, so that a network can rank graphs by their size alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ddbench.errors import UserError, unknown
from ddbench.randomness import derive, isolated

if TYPE_CHECKING:
    from ddbench.graphs.gnn import GraphNetwork

_FAMILIES = {
    "gcn": "GCN (Kipf and Welling 2017), degrees of the whole graph",
    "gat": "GAT (Velickovic et al. 2018), one head",
    "gin": "GIN (Xu et al. 2019), two-layer MLP, trained eps",
}
_READOUTS = {"sum": "summed over nodes", "mean": "averaged over nodes"}

GRAPH_NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        f"{family}-{readout}": f"{of_family}; {of_readout}"
        for family, of_family in _FAMILIES.items()
        for readout, of_readout in _READOUTS.items()
    }
)
"""Names, and a note on each."""


def canonical_graph_network(name: str, where: str = "") -> str:
    """Normalize a name to the one under which a graph network is recorded, in lower case.

    Args:
        name: The name.
        where: The place it was read from, for the error; may be empty.

    Returns:
        The canonical name.

    Raises:
        UserError: There is no such network; gives the nearest names.
    """
    if name.lower() not in GRAPH_NETWORKS:
        raise unknown("graph network", name, GRAPH_NETWORKS, where)
    return name.lower()


def build_gnn(
    name: str,
    *,
    node_cardinalities: Sequence[int],
    classes: int,
    layers: int = 2,
    hidden: int = 64,
    dropout: float = 0.2,
    seed: int,
) -> GraphNetwork:
    """Build a freshly initialized network on the CPU, in train mode.

    Args:
        name: One of GRAPH_NETWORKS.
        node_cardinalities: Number of codes of each column of node features.
        classes: Number of classes.
        layers: Layers of message passing.
        hidden: Width of every embedding.
        dropout: Share of what passes from one layer to the next that is dropped while training.
        seed: Decides every initial parameter; the same seed gives the same bits, and no global random state is touched.

    Returns:
        A module that maps a ``Computation`` to logits (items, classes).

    Raises:
        UserError: An unknown name, or numbers that make no network.
    """
    import torch

    from ddbench.graphs.gnn import GraphNetwork

    for what, number in (("layers", layers), ("hidden", hidden), ("classes", classes)):
        if number < 1:
            raise UserError(f"a graph network needs {what} of at least 1, not {number}", fix=f"give {what} 1 or more")
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is a share below 1, not {dropout}", fix="give a number from 0 to 0.9")
    family, readout = canonical_graph_network(name).split("-")
    with isolated(derive(seed, "network")), torch.device("cpu"):
        return GraphNetwork(
            family=family,
            mean=readout == "mean",
            node_cardinalities=tuple(node_cardinalities),
            classes=classes,
            layers=layers,
            hidden=hidden,
            dropout=dropout,
        )
