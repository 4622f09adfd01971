"""Evaluation of a synthetic set from Python: ``ddbench.evaluate(syn, real)``, and of graphs under another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.scores import GraphScores, Scores
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.pipeline.domains import all_domains, domain_named
from ddbench.runtime.compile import Choice
from ddbench.runtime.compute import choose_compute
from ddbench.runtime.executors import Executor
from ddbench.runtime.precision import Precision
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


@overload
def evaluate(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str | None = None,
    network: str | None = None,
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    lr: float | None = None,
    steps: int | None = None,
    teachers: Teachers | None = None,
    progress: bool | Progress | None = None,
    compile: Choice = "auto",
    precision: Precision = "auto",
    executor: Executor | None = None,
) -> Scores: ...
@overload
def evaluate(
    syn: SyntheticGraphs,
    real: GraphSet,
    *,
    protocol: str | None = None,
    network: str | None = None,
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    progress: bool | Progress | None = None,
) -> GraphScores: ...
def evaluate(
    syn: SyntheticSet | SyntheticGraphs,
    real: RealSet | GraphSet,
    *,
    protocol: str | None = None,
    network: str | None = None,
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    lr: float | None = None,
    steps: int | None = None,
    teachers: Teachers | None = None,
    progress: bool | Progress | None = None,
    compile: Choice = "auto",
    precision: Precision = "auto",
    executor: Executor | None = None,
) -> Scores | GraphScores:
    """Train fresh networks on a synthetic set and test them on the test split of the real data.

    Args:
        syn: Images or graphs to train on.
        real: Real data of the same kind.
        protocol: A name of ``ddbench.list_protocols()``; None takes ``mtt-v1`` for images, ``graphs-v1`` for graphs.
        network: Architecture to train; None takes the one that images were distilled with, ``gin-sum`` for graphs.
        seeds: How many networks, or the seed of each.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        lr: Initial learning rate in place of the protocol's or the learned one; images alone, as all that follow.
        steps: Optimizer steps in place of the protocol's epochs, so that sets of all sizes take equal ones.
        teachers: Teacher networks (``ddbench.train_teachers``) that label, for protocols that need them.
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.
        compile: Whether training steps are compiled; ``auto`` compiles where the training is long enough to gain.
        precision: Of products and convolutions on a GPU: ``auto`` (what PyTorch does), ``float32`` or ``tf32``.
        executor: Trains networks in parallel (``ddbench.runtime.executors``: Serial, Local, RayExecutor); None trains
            them in this process, one after another.

    Returns:
        Accuracy of each network, its mean and standard deviation, fractions in [0, 1]; of graphs, ROC-AUC as well.

    Raises:
        UserError: Set and data do not fit, or a name or an option is wrong.
    """
    domain = domain_named(real.DOMAIN)
    if not isinstance(syn, domain.set_type):
        kind = next(other.name for other in all_domains() if isinstance(syn, other.set_type))
        raise UserError(
            f"a synthetic set of {kind} can not be evaluated on real {domain.name}",
            fix=f"load the {kind} that it was distilled from (ddbench.load_dataset)",
        )
    return domain.score(
        syn,
        real,
        protocol=protocol,
        network=network,
        seeds=tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds),
        compute=choose_compute(device, compile=compile, precision=precision, executor=executor, progress=progress),
        lr=lr,
        steps=steps,
        teachers=teachers,
        executor=executor,
    )


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
