"""Scoring a synthetic set: fresh networks are trained on it, and tested on real images it has never seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ddbench.data.realset import RealSet
from ddbench.evaluate.compatibility import check_compatible, learning_rate, require_labels, require_rate, split_of
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.scores import Scores, SplitName, evaluate_seeds
from ddbench.evaluate.training.evaluation_trainer import EvaluationTrainer
from ddbench.evaluate.training.training_sets import training_set_of
from ddbench.networks import canonical_network_name
from ddbench.runtime.compile import Choice
from ddbench.runtime.executors import Executor
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers

__all__ = ["Scores", "score"]


def score(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    device: torch.device | str = "cpu",
    split: SplitName = "test",
    lr: float | None = None,
    steps: int | None = None,
    teachers: Teachers | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    compile: Choice = "off",
    together: int | None = None,
) -> Scores:
    """Train one fresh network a seed on ``syn`` and test it once, after its last epoch, on a split of ``real``.

    network: None takes the protocol's own, where it has one, else the one that the set was distilled with. A seed fixes
    the network's first parameters, the shuffling, the augmentation and the mixing; it does so in the same way for every
    method. lr: begins with this rate, not the protocol's or the learned one. steps: trains with exactly so many
    optimiser steps, the protocol's schedule stretched over them, so that sets of all sizes take equal ones. teachers:
    who label, under a protocol whose labels are a teacher's; and once, before training, a set with hard labels under
    one that needs soft ones. executor: who trains the networks, each a job of its own; None is this process, one after
    the other. compile: whether training steps are compiled first, which changes rounding alone. together: how many
    networks are trained at once; None is one on a CPU, and as many as fit on a GPU.
    Errors: UserError where set, data and teachers do not fit (preprocessing, classes, shape), for an unknown protocol
    or network, an empty split, no seeds, missing teachers, and a learning rate, given or learned, that SGD can not use.
    """
    require_rate(lr)
    device = torch.device(device)
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    rate, notes = learning_rate(syn, chosen) if lr is None else (lr, [])
    check_compatible(syn, real)
    labels, said = require_labels(syn, chosen, real, teachers)
    ask = teachers if labels == "teachers, once" else None
    lessons = training_set_of(syn.to(device), warm_up=chosen.warm_up, teachers=ask and ask.to(device))
    exam = EvaluationTrainer(
        lessons=lessons,
        ipc=syn.shown_ipc,
        real=real,
        eval_split=split_of(real, split),
        protocol=chosen,
        network=canonical_network_name(network or chosen.network or syn.network),
        lr=rate,
        device=device,
        title=f"evaluate {syn.method} ipc {syn.ipc}",
        teachers=teachers.to(device) if labels == "teachers" and teachers is not None else None,
        stored=None if labels != "stored" or syn.epoch_labels is None else syn.epoch_labels.to(device),
        steps=steps,
        stretched=steps is not None,
        together=together,
    ).compiling(compile, len(seeds))
    if chosen.warm_up and syn.warm_images is None:
        notes.append(f"no images to warm up on, so {chosen.key} trained as mtt-v1 does")
    if syn.warm_images is not None and not chosen.warm_up:
        notes.append(f"carries images to warm up on, which {chosen.key} does not use and its bytes count")
    return evaluate_seeds(exam, seeds, split=split, notes=[*notes, *said], progress=progress, executor=executor)
