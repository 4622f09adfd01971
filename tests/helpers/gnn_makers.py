"""Small random graphs, and PyTorch Geometric's own networks to compare with."""

import torch
from torch import nn
from torch_geometric.nn import GATConv, GCNConv, GINConv

from ddbench.graphs.graphs import Graphs
from ddbench.graphs.networks import build_gnn

CARDINALITIES = (3, 2)


def random_graphs(seed, count=4, *, least=1, most=7, chance=0.4, cardinalities=CARDINALITIES, classes=2):
    """Undirected graphs of 1 to 7 nodes without self-loops; some nodes are isolated. Classes take turns."""
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.randint(least, most + 1, (count,), generator=generator)
    ptr = torch.cat([torch.zeros(1, dtype=torch.int64), nodes.cumsum(0)])
    edges = []
    for begin, size in zip(ptr[:-1].tolist(), nodes.tolist(), strict=True):
        upper = (torch.rand(size, size, generator=generator) < chance).triu(1)
        edges.append((upper | upper.T).nonzero().T + begin)
    columns = [torch.randint(limit, (int(ptr[-1]), 1), generator=generator) for limit in cardinalities]
    index = torch.cat(edges, 1)
    return Graphs(
        node_features=torch.cat(columns, 1),
        node_ptr=ptr,
        edge_index=index,
        edge_features=torch.zeros(index.shape[1], 0, dtype=torch.int64),
        y=torch.arange(count) % classes,
    )


def network(name, *, cardinalities=CARDINALITIES, layers=2, classes=2, seed=0):
    """A small network in float64, in eval mode; biases and eps are drawn too, which begin as zeros."""
    made = build_gnn(
        name, node_cardinalities=cardinalities, classes=classes, layers=layers, hidden=5, dropout=0.2, seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim < 2:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made.double().eval()


def pyg_convolution(ours, family, **options):
    """The same layer as PyTorch Geometric makes it, with the same weights."""
    if family == "gin":
        layer = GINConv(nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5)), train_eps=True)
    else:
        layer = {"gcn": GCNConv, "gat": GATConv}[family](5, 5, **options)
    layer = layer.double()
    layer.load_state_dict(ours.conv.state_dict())
    return layer


def encoded(ours, codes):
    """The sum of embeddings, by hand."""
    return sum(column.weight[codes[:, number]] for number, column in enumerate(ours.encoder.columns))
