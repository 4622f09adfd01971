"""Small sets of graphs to train on and to be tested on."""

from dataclasses import replace

import torch

from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from helpers.gnn_makers import random_graphs


def sized_set(classes=2, name="tiny", train=40, held=24):
    """Real graphs of which some nodes tell the class and the rest anything; ``held`` graphs in both other splits."""

    def split(seed, count):
        graphs = random_graphs(seed, count, least=5, most=9, chance=0.4, cardinalities=(classes + 1,), classes=classes)
        told, generator = graphs.y[graphs.graph_of_node], torch.Generator().manual_seed(seed)
        drawn = torch.randint(classes + 1, told.shape, generator=generator)
        seen = torch.where(torch.rand(told.shape, generator=generator) < 0.6, drawn, told)
        return replace(graphs, node_features=seen[:, None])

    return GraphSet(
        name=name,
        class_names=tuple(f"class {label}" for label in range(classes)),
        train=split(1, train),
        validation=split(2, held),
        test=split(3, held),
        node_cardinalities=(classes + 1,),
        edge_cardinalities=(),
        split="drawn",
        metric="roc-auc",
        fingerprint=f"{name} of {classes}",
    )


def as_set(real, payload, *, labels=None, label_kind="hard", frequency=None, method="test"):
    """A synthetic set of a real one's facts."""
    return SyntheticGraphs(
        payload=payload,
        labels=payload.y if labels is None else labels,
        label_kind=label_kind,
        frequency=torch.ones(len(payload), dtype=torch.int64) if frequency is None else frequency,
        ipc=len(payload),
        dataset=real.name,
        class_names=real.class_names,
        method=method,
        node_cardinalities=real.node_cardinalities,
        edge_cardinalities=real.edge_cardinalities,
        provenance={},
    )
