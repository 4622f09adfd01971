"""Scoring a synthetic set: fresh networks are trained on it, and tested on real images it has never seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Literal

import torch

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.exam import Exam
from ddbench.evaluate.fit import learning_rate, require_fit, split_of
from ddbench.evaluate.protocols import Protocol
from ddbench.evaluate.protocols import protocol as protocol_named
from ddbench.evaluate.workers import Workers
from ddbench.execution import Progress, Silent, peak_bytes, synchronise
from ddbench.networks import canonical_network_name
from ddbench.synthetic import SyntheticSet


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The accuracies of fresh networks on one split, fractions in the order of ``seeds``, and what they cost.

    seconds: of all networks together. peak_bytes: as ``ddbench.execution.peak_bytes`` counts. notes: what a reader of
    the numbers must know.
    """

    accuracy: tuple[float, ...]
    seeds: tuple[int, ...]
    network: str
    protocol: str
    split: Literal["test", "validation"]
    seconds: float
    peak_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.accuracy)


def score(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    device: torch.device | str = "cpu",
    split: Literal["test", "validation"] = "test",
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Scores:
    """Train one fresh network a seed on ``syn`` and test it once, after its last epoch, on a split of ``real``.

    network: None takes the one that the set was distilled with. A seed fixes the network's first parameters, the
    shuffling and the augmentation; it does so in the same way for every method. workers: processes among which the
    networks are shared out on a CPU, where each is trained by one thread; None trains one after the other.
    Errors: UserError where set and data do not fit (preprocessing, classes, shape), for an unknown protocol or network,
    an empty split, no seeds, and a learned learning rate that SGD can not use.
    """
    device = torch.device(device)
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    name = canonical_network_name(network or syn.network)
    lr, notes = learning_rate(syn, chosen)
    require_fit(syn, real)
    if not seeds:
        raise UserError("an evaluation needs at least one seed", fix="give a number of seeds of 1 or more")
    exam = Exam(
        syn=syn.to(device),
        real=real,
        questions=split_of(real, split),
        protocol=chosen,
        network=name,
        lr=lr,
        device=device,
    )
    meter = progress or Silent()
    begun = time.perf_counter()
    try:
        if workers is not None and device.type == "cpu" and len(seeds) > 1:
            answers = _side_by_side(exam, seeds, workers, meter)
        else:
            answers = _one_by_one(exam, seeds, meter)
        synchronise(device)
    finally:
        meter.close()
    if chosen.warm_up and syn.warm_images is None:
        notes.append(f"no images to warm up on, so {chosen.key} trained as mtt-v1 does")
    if syn.warm_images is not None and not chosen.warm_up:
        notes.append(f"carries images to warm up on, which {chosen.key} does not use and its bytes count")
    notes += [
        f"seed {seed}: the training did not stay finite" for seed, (_, ok) in zip(seeds, answers, strict=True) if not ok
    ]
    return Scores(
        accuracy=tuple(accuracy for accuracy, _ in answers),
        seeds=tuple(seeds),
        network=name,
        protocol=chosen.key,
        split=split,
        seconds=time.perf_counter() - begun,
        peak_bytes=peak_bytes(device),
        notes=tuple(notes),
    )


def _one_by_one(exam: Exam, seeds: Sequence[int], meter: Progress) -> list[tuple[float, bool]]:
    answers: list[tuple[float, bool]] = []

    def tell(done: int, of: int) -> None:
        if done == 1 and not answers:
            meter.start(len(seeds) * of, _title(exam))
        facts = {"accuracy": f"{fmean(a for a, _ in answers):.4f}"} if answers and done == of else {}
        meter.update(len(answers) * of + done, **facts)

    for seed in seeds:
        answers += [exam.take(seed, tell)]
    return answers


def _side_by_side(exam: Exam, seeds: Sequence[int], workers: Workers, meter: Progress) -> list[tuple[float, bool]]:
    meter.start(len(seeds), _title(exam))
    answers: dict[int, tuple[float, bool]] = {}
    for position, answer in workers.take(exam, seeds):
        answers[position] = answer
        meter.update(len(answers), accuracy=f"{fmean(a for a, _ in answers.values()):.4f}")
    return [answers[position] for position in range(len(seeds))]


def _title(exam: Exam) -> str:
    return f"evaluate {exam.syn.method} ipc {exam.syn.ipc}"
