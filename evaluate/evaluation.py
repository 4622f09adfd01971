"""Evaluation of a synthetic set from Python: ``ddbench.evaluate(syn, real)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.graphs.score import score_graphs
from ddbench.evaluate.score import Scores, score
from ddbench.evaluate.scores import GraphScores
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
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
    how = choose_compute(device, compile=compile, precision=precision, executor=executor, progress=progress)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if isinstance(syn, SyntheticGraphs) and isinstance(real, GraphSet):
        image_options = {"lr": lr, "steps": steps, "teachers": teachers, "executor": executor}
        if extra := [name for name, value in image_options.items() if value is not None]:
            raise UserError(f"{extra[0]} does not apply to graphs", fix=f"remove {extra[0]}")
        return score_graphs(
            syn,
            real,
            protocol=protocol or "graphs-v1",
            network=network or "gin-sum",
            seeds=chosen,
            compute=how,
        )
    if isinstance(syn, SyntheticGraphs) or isinstance(real, GraphSet):
        kind, other = ("graphs", "images") if isinstance(syn, SyntheticGraphs) else ("images", "graphs")
        raise UserError(
            f"a synthetic set of {kind} can not be evaluated on real {other}",
            fix=f"load the {kind} that it was distilled from (ddbench.load_dataset)",
        )
    return score(
        syn,
        real.to(how.device),
        protocol=protocol or "mtt-v1",
        network=network,
        seeds=chosen,
        compute=how,
        lr=lr,
        steps=steps,
        teachers=teachers,
    )
