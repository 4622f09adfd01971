"""Scoring a set of graphs: fresh networks are trained on it, and tested on real graphs it has never seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddbench.errors import UserError
from ddbench.evaluate.graphs.batches import GraphTrainingSet
from ddbench.evaluate.graphs.compatibility import require_graph_fit, require_splits
from ddbench.evaluate.graphs.protocols import GraphProtocol, graph_protocol
from ddbench.evaluate.graphs.trainer import GraphBatches, GraphSeedResult, GraphTrainer
from ddbench.evaluate.scores import GraphScores
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.networks import canonical_graph_network
from ddbench.runtime.compute import Compute
from ddbench.runtime.device import synchronize
from ddbench.runtime.progress import Progress

if TYPE_CHECKING:
    from ddbench.graphs.synthetic_graphs import SyntheticGraphs

__all__ = ["GraphScores", "score_graphs"]


def score_graphs(
    syn: SyntheticGraphs,
    real: GraphSet,
    *,
    protocol: str | GraphProtocol,
    network: str,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    compute: Compute = Compute(),
) -> GraphScores:
    """Train one fresh network a seed on ``syn``, and test its best state on validation once on test.

    Args:
        syn: Set of graphs.
        real: Real graphs, whose validation split chooses a state and whose test split is tested on.
        protocol: Name, such as ``graphs-v1``, or a protocol.
        network: Name of a graph network.
        seeds: Each fixes a network's first parameters, what is drawn and what is dropped, in the same way for every
            method.
        compute: How networks are trained and tested: device and progress.

    Returns:
        The scores of each seed, in order. Of more seeds than the protocol reports, those with the best validation are
        in the scores; a note says so.

    Raises:
        UserError: Set and data do not fit, for trees too low for the network, an unknown protocol or network, a
            validation split on which nothing can be chosen, and no seeds.
    """
    chosen = graph_protocol(protocol) if isinstance(protocol, str) else protocol
    name, device = canonical_graph_network(network), compute.device
    if not seeds:
        raise UserError("an evaluation needs at least one seed", fix="give a number of seeds of 1 or more")
    require_graph_fit(syn, real)
    require_splits(real)
    setting, begun = chosen.setting_for(real.name, name), time.perf_counter()
    trainer = GraphTrainer(
        training_set=GraphTrainingSet(syn=syn, protocol=chosen, layers=setting.layers, device=device),
        validation=GraphBatches(real.validation, setting.layers, device),
        test=GraphBatches(real.test, setting.layers, device),
        real=real,
        protocol=chosen,
        setting=setting,
        network=name,
        device=device,
    )
    results = _one_by_one(trainer, seeds, compute.progress, f"evaluate {syn.method} ipc {syn.ipc}")
    synchronize(device)
    reported, reported_notes = _reported(chosen, [result.validation for result in results])
    diverged = [f"seed {seeds[i]}: the training did not stay finite" for i in reported if not results[i].finite]
    return GraphScores(
        accuracy=tuple(results[i].accuracy for i in reported),
        roc_auc=tuple(results[i].roc_auc for i in reported),
        validation=tuple(results[i].validation for i in reported),
        seeds=tuple(seeds[i] for i in reported),
        seconds=time.perf_counter() - begun,
        protocol=chosen.key,
        network=name,
        notes=(*chosen.notes, *reported_notes, *diverged),
    )


def _one_by_one(trainer: GraphTrainer, seeds: Sequence[int], meter: Progress, title: str) -> list[GraphSeedResult]:
    results: list[GraphSeedResult] = []
    steps = trainer.setting.steps
    meter.start(len(seeds) * steps, title)
    try:
        for seed in seeds:
            done = len(results) * steps
            results += [trainer.train_and_test(seed, lambda step, done=done: meter.update(done + step))]
            meter.update(
                len(results) * steps,
                roc_auc=f"{sum(result.roc_auc for result in results) / len(results):.4f}",
            )
    finally:
        meter.close()
    return results


def _reported(protocol: GraphProtocol, validation: Sequence[float]) -> tuple[list[int], list[str]]:
    """Networks that are reported, in their order, and notes on the choice."""
    every = range(len(validation))
    if protocol.reported is None or len(validation) <= protocol.reported:
        return list(every), []
    best = sorted(every, key=lambda i: -validation[i])[: protocol.reported]
    return sorted(best), [f"the {protocol.reported} best of {len(validation)} seeds on validation"]
