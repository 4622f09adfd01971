"""Scoring a synthetic set from Python: ``ddbench.evaluate(syn, real)``."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.data.realset import RealSet
from ddbench.evaluate.score import Scores, score
from ddbench.runtime.compile import Choice
from ddbench.runtime.device import choose_device
from ddbench.runtime.executors import Executor
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


def evaluate(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str = "mtt-v1",
    network: str | None = None,
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    lr: float | None = None,
    steps: int | None = None,
    teachers: Teachers | None = None,
    progress: Progress | None = None,
    compile: Choice = "auto",
    executor: Executor | None = None,
) -> Scores:
    """Train fresh networks on ``syn`` and score them on the test split of ``real``: accuracies, mean, std, seconds.

    network: None takes the one it was distilled with. seeds: how many networks, or their seeds. lr: begins with this
    rate instead of the protocol's or the learned one. steps: optimiser steps in the place of the protocol's epochs, so
    that sets of all sizes take equal ones. teachers: who label, under a protocol that needs them
    (``ddbench.train_teachers``). compile: whether training steps are compiled; "auto" does where it is long enough.
    executor: who trains the networks, each a job of its own (``ddbench.runtime.executors``: Serial, Local,
    RayExecutor); None
    is this process, one after the other.
    """
    where = choose_device(device)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    return score(
        syn,
        real.to(where),
        protocol=protocol,
        network=network,
        seeds=chosen,
        device=where,
        lr=lr,
        steps=steps,
        teachers=teachers,
        progress=progress,
        compile=compile,
        executor=executor,
    )
