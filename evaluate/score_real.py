"""Scoring real images: the same training on them as on a synthetic set, for bounds, ground truths and teachers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.compatibility import check_teachers_compatible, require_rate, split_of
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.scores import Scores, SplitName, evaluate_seeds
from ddbench.evaluate.training.evaluation_trainer import EvaluationTrainer
from ddbench.evaluate.training.training_sets import RealTrainingSet
from ddbench.networks import canonical_network_name
from ddbench.runtime.compile import Choice
from ddbench.runtime.executors import Executor
from ddbench.runtime.progress import Progress
from ddbench.training.teachers import Teachers


def score_real(
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str,
    seeds: Sequence[int] = (0,),
    device: torch.device | str = "cpu",
    split: SplitName = "test",
    rows: Tensor | None = None,
    steps: int | None = None,
    lr: float | None = None,
    teachers: Teachers | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    compile: Choice = "off",
) -> Scores:
    """Train one fresh network a seed on real training images and test it once, after its last epoch.

    rows: (n,), int64, which of ``real.train``; None is all of them. steps: training stops after so many updates, with
    the schedule as it is for all of them. lr: begins with this rate, not the protocol's. The rest, and the errors, are
    as in :func:`ddbench.evaluate.score.score`.
    """
    exam = real_trainer(
        real,
        protocol=protocol,
        network=network,
        device=device,
        split=split,
        rows=rows,
        steps=steps,
        lr=lr,
        teachers=teachers,
    ).compiling(compile, len(seeds))
    return evaluate_seeds(exam, seeds, split=split, progress=progress, executor=executor)


def real_trainer(
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str,
    device: torch.device | str = "cpu",
    split: SplitName = "test",
    rows: Tensor | None = None,
    steps: int | None = None,
    lr: float | None = None,
    teachers: Teachers | None = None,
) -> EvaluationTrainer:
    """The exam of networks trained on real images. Errors: as in :func:`score_real`."""
    require_rate(lr)
    device = torch.device(device)
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    name = canonical_network_name(network)
    if chosen.loss == "kl" and (chosen.targets == "set" or teachers is None):
        raise UserError(
            f"{chosen.key} needs soft labels, and real images have hard ones",
            fix="give teachers (ddbench teach), or a protocol of cross-entropy",
        )
    check_teachers_compatible(teachers, real)
    lesson = RealTrainingSet(real=real.to(device), device=device, rows=rows)
    if not len(lesson):
        raise UserError("there is no real image to train on", fix="give rows of the training split")
    return EvaluationTrainer(
        lessons=(lesson,),
        ipc=max(1, len(lesson) // real.classes),
        real=real.to(device),
        eval_split=split_of(real, split),
        protocol=chosen,
        network=name,
        lr=lr,
        device=device,
        title=f"train {name} on {len(lesson)} real images",
        teachers=teachers.to(device) if chosen.targets == "teacher" and teachers is not None else None,
        steps=steps,
    )
