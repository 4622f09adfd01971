"""The accuracies of fresh networks, and the loop over their seeds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Literal

from ddbench.errors import UserError
from ddbench.evaluate.training.evaluation_job import EvaluationJob, JobResult
from ddbench.evaluate.training.evaluation_trainer import EvaluationTrainer
from ddbench.runtime.device import synchronise
from ddbench.runtime.executors import Executor, Serial
from ddbench.runtime.executors.job_progress import SharedProgress
from ddbench.runtime.progress import Progress, Silent

SplitName = Literal["test", "validation"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The accuracies of fresh networks on one split, fractions in the order of ``seeds``, and what they cost.

    lr: the rate the networks began with. steps: how many optimiser steps each was asked to take; None is the
    protocol's. compiled: whether training steps were. device: where; None is the device that was asked for. seconds: of
    all networks together. peak_bytes: as ``ddbench.runtime.device.peak_bytes`` counts, of the process that took most.
    notes:
    what a reader of the numbers must know.
    """

    accuracy: tuple[float, ...]
    seeds: tuple[int, ...]
    network: str
    protocol: str
    split: SplitName
    seconds: float
    peak_bytes: int
    lr: float | None = None
    steps: int | None = None
    compiled: bool = False
    device: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.accuracy)


def evaluate_seeds(
    exam: EvaluationTrainer,
    seeds: Sequence[int],
    *,
    split: SplitName,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Scores:
    """Let one network a seed take an exam. executor: who trains them; None is this process.

    Here, one is trained after the other, or as many at once as the exam says; elsewhere each is a job of its own, but
    where the exam itself says how many are trained together. Errors: UserError without a seed, and as ``executor``
    says.
    """
    if not seeds:
        raise UserError("an evaluation needs at least one seed", fix="give a number of seeds of 1 or more")
    begun = time.perf_counter()
    shared = executor is not None and (executor.elsewhere or (executor.at_once > 1 and len(seeds) > 1))
    by = executor if executor is not None and shared else Serial()
    many = (exam.together or 1) if shared else exam.side_by_side(len(seeds))
    groups = [seeds[first : first + many] for first in range(0, len(seeds), many)]
    answers: dict[int, JobResult] = {}
    meter = SharedProgress(progress or Silent(), len(groups), exam.title)
    try:
        for position, answer in by.map(EvaluationJob(exam, by.device(exam.device)), groups, meter.on_progress):
            answers[position] = answer
            meter.finished(
                position, accuracy=f"{fmean(a for known in answers.values() for a, _ in known.evaluate_seeds):.4f}"
            )
        synchronise(exam.device)
    finally:
        meter.close()
    found = [mark for position in range(len(groups)) for mark in answers[position].evaluate_seeds]
    endless = [
        f"seed {seed}: the training did not stay finite" for seed, (_, ok) in zip(seeds, found, strict=True) if not ok
    ]
    return Scores(
        accuracy=tuple(accuracy for accuracy, _ in found),
        seeds=tuple(seeds),
        network=exam.network,
        protocol=exam.protocol.key,
        split=split,
        seconds=time.perf_counter() - begun,
        peak_bytes=max(answer.peak_bytes for answer in answers.values()),
        lr=exam.rate,
        steps=exam.steps if exam.stretched else None,
        compiled=exam.compiled,
        device=", ".join(sorted({answer.device for answer in answers.values()})) if by.elsewhere else None,
        notes=(*notes, *endless),
    )


@dataclass(frozen=True, kw_only=True)
class GraphScores:
    """Accuracies and ROC-AUCs on the test split, fractions in the order of ``seeds``, and what they cost.

    roc_auc: macro one against the rest for more than two classes. validation: the ROC-AUC by which each tested state
    was chosen. network, protocol: as in rows. seconds: of all networks together, those that are not reported included.
    bytes: of what was scored, by part, where that is no set of graphs. notes: what a reader of the numbers must know.
    """

    accuracy: tuple[float, ...]
    roc_auc: tuple[float, ...]
    validation: tuple[float, ...]
    seeds: tuple[int, ...]
    seconds: float
    protocol: str
    network: str
    bytes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.accuracy)

    @property
    def roc_auc_mean(self) -> float:
        return fmean(self.roc_auc)

    @property
    def roc_auc_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.roc_auc)
