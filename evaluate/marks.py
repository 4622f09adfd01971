"""The accuracies of fresh networks, and the loop over their seeds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Literal

from ddbench.errors import UserError
from ddbench.evaluate.exam import Exam
from ddbench.evaluate.workers import Workers
from ddbench.execution import Progress, Silent, peak_bytes, synchronise

SplitName = Literal["test", "validation"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The accuracies of fresh networks on one split, fractions in the order of ``seeds``, and what they cost.

    lr: the rate the networks began with. steps: how many optimiser steps each was asked to take; None is the
    protocol's. seconds: of all networks together. peak_bytes: as
    ``ddbench.execution.peak_bytes`` counts. notes: what a reader of the numbers must know.
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
    notes: tuple[str, ...] = ()

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.accuracy)


def marks(
    exam: Exam,
    seeds: Sequence[int],
    *,
    split: SplitName,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Scores:
    """Let one network a seed take an exam. workers: processes among which they are shared out on a CPU.

    Errors: UserError without a seed.
    """
    if not seeds:
        raise UserError("an evaluation needs at least one seed", fix="give a number of seeds of 1 or more")
    meter, begun = progress or Silent(), time.perf_counter()
    try:
        if workers is not None and exam.device.type == "cpu" and len(seeds) > 1:
            answers = _side_by_side(exam, seeds, workers, meter)
        else:
            answers = _one_by_one(exam, seeds, meter)
        synchronise(exam.device)
    finally:
        meter.close()
    endless = [
        f"seed {seed}: the training did not stay finite" for seed, (_, ok) in zip(seeds, answers, strict=True) if not ok
    ]
    return Scores(
        accuracy=tuple(accuracy for accuracy, _ in answers),
        seeds=tuple(seeds),
        network=exam.network,
        protocol=exam.protocol.key,
        split=split,
        seconds=time.perf_counter() - begun,
        peak_bytes=peak_bytes(exam.device),
        lr=exam.rate,
        steps=exam.steps if exam.stretched else None,
        notes=(*notes, *endless),
    )


def _one_by_one(exam: Exam, seeds: Sequence[int], meter: Progress) -> list[tuple[float, bool]]:
    answers: list[tuple[float, bool]] = []

    def tell(done: int, of: int) -> None:
        if done == 1 and not answers:
            meter.start(len(seeds) * of, exam.title)
        facts = {"accuracy": f"{fmean(a for a, _ in answers):.4f}"} if answers and done == of else {}
        meter.update(len(answers) * of + done, **facts)

    for seed in seeds:
        answers += [exam.take(seed, tell)]
    return answers


def _side_by_side(exam: Exam, seeds: Sequence[int], workers: Workers, meter: Progress) -> list[tuple[float, bool]]:
    meter.start(len(seeds), exam.title)
    answers: dict[int, tuple[float, bool]] = {}
    for position, answer in workers.take(exam, seeds):
        answers[position] = answer
        meter.update(len(answers), accuracy=f"{fmean(a for a, _ in answers.values()):.4f}")
    return [answers[position] for position in range(len(seeds))]
