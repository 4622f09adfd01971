"""Evaluation of synthetic graphs under a name of its own; ``ddbench.evaluate`` takes images and graphs."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.evaluate.evaluation import evaluate
from ddbench.evaluate.scores import GraphScores
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.runtime.progress import Progress


def evaluate_graphs(
    syn: SyntheticGraphs,
    real: GraphSet,
    *,
    network: str = "gin-sum",
    protocol: str = "graphs-v1",
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    progress: bool | Progress | None = None,
) -> GraphScores:
    """Train fresh networks on synthetic graphs and test them; :func:`ddbench.evaluate` does the same.

    Args:
        syn: Graphs to train on.
        real: Real graphs, for validation and test.
        network: Architecture, such as ``gin-sum``.
        protocol: Training configuration, such as ``graphs-v1``.
        seeds: How many networks, or the seed of each.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.

    Returns:
        Accuracy and ROC-AUC of each network, fractions in [0, 1].

    Raises:
        UserError: Set and data do not fit, or the protocol or network is unknown.
    """
    return evaluate(syn, real, network=network, protocol=protocol, seeds=seeds, device=device, progress=progress)
