"""Message passing with PyTorch Geometric's own layers, on entries that may be nodes of graphs or shared subtrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, GINConv

from ddbench.graphs.message_passing import Computation, Layer


@final
class GraphNetwork(nn.Module):
    """Embeddings of the node's codes, ``layers`` convolutions with ReLU and dropout between them, readout, classifier.

    The convolutions are the layers of PyTorch Geometric and hold their parameters under the usual names.

    Args:
        family: "gcn", "gat" or "gin".
        mean: Whether an item is the mean of its roots, else their sum.
        node_cardinalities: Number of codes of each column of node features.
        classes: Number of classes.
        layers: Number of convolutions.
        hidden: Width of every embedding.
        dropout: Share of what is dropped between layers while training.
    """

    def __init__(
        self,
        *,
        family: str,
        mean: bool,
        node_cardinalities: Sequence[int],
        classes: int,
        layers: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = CodeEncoder(node_cardinalities, hidden)
        self.convolutions = nn.ModuleList(CONVOLUTIONS[family](hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, classes)
        self.mean = mean

    def forward(self, computation: Computation) -> Tensor:
        """Compute the logits of items.

        Args:
            computation: The items.

        Returns:
            (items, classes).
        """
        roots = self.embed(computation)
        summed = roots.new_zeros(computation.items, roots.shape[1]).index_add(0, computation.item, roots)
        if self.mean:
            summed = summed / computation.roots_per_item.clamp(min=1)[:, None]
        return self.classifier(summed)

    def embed(self, computation: Computation) -> Tensor:
        """Compute the embeddings of roots, before they are read out.

        Args:
            computation: The items, for as many layers as the network has.

        Returns:
            (T, hidden).

        Raises:
            ValueError: The computation is of another number of layers.
        """
        entries = self.encoder(computation.features)
        for number, (convolution, layer) in enumerate(zip(self.convolutions, computation.layers, strict=True)):
            entries = convolution(self.dropout(entries.relu()) if number else entries, layer)
        return entries[computation.root]


@final
class CodeEncoder(nn.Module):
    """The sum of one learned embedding a column: of a single column, a linear map of its one-hot rows.

    Args:
        cardinalities: Number of codes of each column.
        hidden: Width of the embedding.

    Source: ogb's AtomEncoder (snap-stanford/ogb ogb/graphproppred/mol_encoder.py), initialization included.
    """

    def __init__(self, cardinalities: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.columns = nn.ModuleList(nn.Embedding(max(count, 1), hidden) for count in cardinalities)
        for column in self.columns.parameters():
            nn.init.xavier_uniform_(column)

    def forward(self, codes: Tensor) -> Tensor:
        """Embed codes.

        Args:
            codes: (n, F), int64.

        Returns:
            (n, hidden).
        """
        embedded = [column(codes[:, number]) for number, column in enumerate(self.columns)]
        return torch.stack(embedded).sum(0)


@final
class Gcn(nn.Module):
    """Symmetric normalization with the degrees that nodes have in their graph, own entry included.

    Args:
        hidden: Width of the embeddings.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv = GCNConv(hidden, hidden, normalize=False)

    def forward(self, entries: Tensor, layer: Layer) -> Tensor:
        # GCNConv.forward refuses entries below that are not the entries above; what it does is in these two lines.
        summed = self.conv.propagate(
            layer.messages_and_own,
            x=(self.conv.lin(entries), None),
            edge_weight=layer.symmetric_weights.to(entries.dtype),
            size=layer.size,
        )
        return summed + self.conv.bias


@final
class Gat(nn.Module):
    """Attention of one head over neighbors and the own entry.

    Args:
        hidden: Width of the embeddings.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv = GATConv(hidden, hidden, add_self_loops=False)

    def forward(self, entries: Tensor, layer: Layer) -> Tensor:
        return self.conv((entries, entries[layer.own]), layer.messages_and_own, size=layer.size)


@final
class Gin(nn.Module):
    """An MLP of (1 + eps) times the own entry plus the neighbors.

    Args:
        hidden: Width of the embeddings.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        mlp = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.conv = GINConv(mlp, train_eps=True)

    def forward(self, entries: Tensor, layer: Layer) -> Tensor:
        return self.conv((entries, entries[layer.own]), layer.messages, size=layer.size)


CONVOLUTIONS: Mapping[str, Callable[[int], nn.Module]] = MappingProxyType({"gcn": Gcn, "gat": Gat, "gin": Gin})
