"""Baselines from statistics: the class of a graph by its size or label counts, the floor below every distilled set.

On NCI1 the number of nodes alone ranks test graphs as well as networks that were trained on Mirage's published set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ddbench.errors import unknown
from ddbench.evaluate.graphs.compatibility import require_splits
from ddbench.evaluate.graphs.metrics import accuracy, roc_auc
from ddbench.evaluate.graphs.protocols import graph_protocol
from ddbench.evaluate.scores import GraphScores
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.networks import canonical_graph_network
from ddbench.runtime.threads import one_thread

Describe = Callable[[Graphs, Sequence[int]], Tensor]
"""Graphs and the cardinalities of their node labels to one row of numbers a graph, (G, numbers)."""


def node_count(graphs: Graphs, cardinalities: Sequence[int]) -> Tensor:
    """Number of nodes of each graph.

    Args:
        graphs: G graphs.
        cardinalities: Not used.

    Returns:
        (G, 1).
    """
    del cardinalities
    return graphs.node_counts[:, None]


def edge_count(graphs: Graphs, cardinalities: Sequence[int]) -> Tensor:
    """Number of directed edges of each graph.

    Args:
        graphs: G graphs.
        cardinalities: Not used.

    Returns:
        (G, 1).
    """
    del cardinalities
    return graphs.edge_counts[:, None]


def label_histogram(graphs: Graphs, cardinalities: Sequence[int]) -> Tensor:
    """Number of nodes of each graph that have each label.

    Args:
        graphs: G graphs.
        cardinalities: Labels of each column of the nodes' labels.

    Returns:
        Counts, column after column, (G, sum of cardinalities).
    """
    counts = [
        torch.bincount(graphs.graph_of_node * cardinality + column, minlength=len(graphs) * cardinality)
        for column, cardinality in zip(graphs.node_features.T, cardinalities, strict=True)
    ]
    return torch.cat([count.view(len(graphs), -1) for count in counts], 1)


_DESCRIBED: Mapping[str, Describe] = MappingProxyType(
    {"node-count": node_count, "edge-count": edge_count, "label-histogram": label_histogram}
)
NO_LEARNING: Mapping[str, str] = MappingProxyType(
    {
        "node-count": "logistic regression on the number of nodes",
        "edge-count": "logistic regression on the number of edges",
        "label-histogram": "logistic regression on how many nodes have each label",
    }
)
"""Names, and a note on each."""


def score_no_learning(name: str, real: GraphSet, *, protocol: str, network: str) -> GraphScores:
    """A logistic regression (scikit-learn, C = 1) on counts of the whole training split, tested as a network is.

    Args:
        name: Baseline, one of ``NO_LEARNING``.
        real: Real graphs.
        protocol: Protocol that the score is shown with; it changes nothing.
        network: Network that the score is shown with; it changes nothing.

    Returns:
        Scores of the single seed 0, since nothing is drawn; bytes are those of coefficients and intercepts, 4 each.

    Raises:
        UserError: An unknown name, and a split in which only one class occurs.
    """
    if name not in NO_LEARNING:
        raise unknown("baseline without learning", name, NO_LEARNING)
    key, beside = graph_protocol(protocol).key, canonical_graph_network(network)
    require_splits(real)
    begun = time.perf_counter()
    with one_thread(torch.device("cpu")):
        ask, stored = _regression(_DESCRIBED[name], real)
        validation, test = ask(real.validation), ask(real.test)
    return GraphScores(
        accuracy=(accuracy(test, real.test.y),),
        roc_auc=(roc_auc(test, real.test.y),),
        validation=(roc_auc(validation, real.validation.y),),
        seeds=(0,),
        seconds=time.perf_counter() - begun,
        protocol=key,
        network=beside,
        bytes={"coefficients": 4 * stored},
        notes=(f"no network: {NO_LEARNING[name]}, of the whole training split",),
    )


def _regression(describe: Describe, real: GraphSet) -> tuple[Callable[[Graphs], Tensor], int]:
    """Fitted: graphs to logits (G, C), and the number of values that have to be stored for that."""
    from sklearn.linear_model import LogisticRegression

    def numbers(graphs: Graphs) -> np.ndarray:
        return describe(graphs, real.node_cardinalities).double().numpy()

    model = LogisticRegression(max_iter=10_000).fit(numbers(real.train), real.train.y.numpy())

    def ask(graphs: Graphs) -> Tensor:
        decided = torch.from_numpy(model.decision_function(numbers(graphs)))
        decided = torch.stack([-decided, decided], 1) / 2 if decided.ndim == 1 else decided
        logits = torch.full((len(graphs), real.classes), UNSEEN, dtype=torch.float64)
        logits[:, torch.from_numpy(model.classes_)] = decided
        return logits

    return ask, model.coef_.size + model.intercept_.size


UNSEEN = -1e6
"""The logit of a class without training graphs."""
