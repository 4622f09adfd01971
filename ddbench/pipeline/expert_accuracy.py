"""Accuracies of imported experts on the recipe's own training images: do they know these images, so preprocessed?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.fitting import fit_zca
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import as_unit_float
from ddbench.errors import UserError
from ddbench.expert_buffers.trajectory import unflatten_into
from ddbench.networks import build_network
from ddbench.randomness import stream

SAMPLE = 1000
BATCH = 100
DEVIATIONS = 4.0
"""By how many standard deviations a count must differ from what chance gives: one sound expert in 30,000 fails."""
_WHITENED = 10_000
_LARGEST_WHITENED = 3 * 40 * 40
_QUICKLY_WHITENED = 1024
_DOUBTFUL = 0.75
"""Below this accuracy a whitening is tried on larger images as well, which takes up to a minute."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """Training images to score experts on."""

    pixels: Tensor
    """(n, C, H, W), in [0, 1]."""
    labels: Tensor
    """Their classes, (n,)."""
    chance: float
    """What one who always names the commonest class reaches."""
    sure: float
    """An accuracy that luck does not reach."""


def require_knowing(last: Mapping[str, Tensor], real: RealSet, network: str) -> float:
    """Score the last snapshots of experts on the real set's training images, under its preprocessing.

    Args:
        last: Parameters, (P,), of each expert by its place.
        real: The recipe's data.
        network: The experts' network.

    Returns:
        The lowest accuracy among the experts.

    Raises:
        UserError: Where one of them is at chance level, or knows the images far better under another preprocessing,
            which is named.
    """
    sample = training_sample(real)
    own = {context: _correct(rows, sample, real.preprocessing, real, network) for context, rows in last.items()}
    context = min(own, key=lambda one: float(own[one].mean()))
    mine = float(own[context].mean())
    under = {kind: _correct(last[context], sample, other, real, network) for kind, other in _others(real, mine, sample)}
    others = {kind: float(correct.mean()) for kind, correct in under.items()}
    best = max(others, key=lambda kind: others[kind])
    if _far_better(under[best], own[context], sample):
        raise _refusal(context, real, mine, others, sample, fits=best)
    if mine <= sample.sure:
        raise _refusal(context, real, mine, others, sample, fits=None)
    return mine


def training_sample(real: RealSet) -> Sample:
    """Draw up to 1000 training images of a real set, with a seed of their own.

    Args:
        real: The real set.

    Returns:
        The images as pixels, their labels, and the accuracies that chance and luck reach on them.
    """
    rows = torch.randperm(len(real.train), generator=stream(0, "images to score experts on"))[:SAMPLE].sort().values
    labels = real.train.labels[rows]
    chance = float(torch.bincount(labels, minlength=real.classes).max()) / len(rows)
    sure = chance + DEVIATIONS * math.sqrt(chance * (1 - chance) / len(rows))
    return Sample(pixels=as_unit_float(real.train.images[rows]), labels=labels, chance=chance, sure=sure)


@torch.no_grad()
def _correct(row: Tensor, sample: Sample, preprocessing: Preprocessing, real: RealSet, network: str) -> Tensor:
    """Whether each image is classified rightly, (n,), 0 or 1. Batch norm sees the statistics of each batch, for other
    projects do not keep those of training."""
    module = build_network(network, real.shape, seed=0)
    unflatten_into(row, module.parameters())
    module.to(real.device).train(any(True for _ in module.buffers()))
    seen = preprocessing.to(real.device)
    batches = zip(sample.pixels.split(BATCH), sample.labels.split(BATCH), strict=True)
    return torch.cat([(module(seen.forward(x.to(real.device))).argmax(1).cpu() == y).float() for x, y in batches])


def _others(real: RealSet, mine: float, sample: Sample) -> Iterator[tuple[str, Preprocessing]]:
    """Other preprocessings that the experts could have been trained under, those that cost nothing first."""
    kind = real.preprocessing.kind
    if kind != "identity":
        yield "identity", Preprocessing.identity()
    if kind != "meanstd":
        channels = sample.pixels.transpose(0, 1).flatten(1)
        mean, std = channels.mean(1), channels.std(1)
        if bool((std > 0).all()):
            yield "meanstd", Preprocessing.meanstd(mean.tolist(), std.tolist())
    size = sample.pixels[0].numel()
    if kind != "zca" and size <= (_LARGEST_WHITENED if mine < _DOUBTFUL else _QUICKLY_WHITENED):
        images = real.train.images[:: max(len(real.train) // _WHITENED, 1)]
        yield "zca", Preprocessing.whitening(*fit_zca(images), "a sample of the training images")


def _far_better(other: Tensor, mine: Tensor, sample: Sample) -> bool:
    """Whether the experts, under another preprocessing, are above chance, make less than half the errors, and that
    beyond what luck gives: the images on which the two disagree would fall to either side alike."""
    gained, lost = float((other > mine).sum()), float((other < mine).sum())
    beyond = gained - lost > DEVIATIONS * math.sqrt(gained + lost)
    theirs, ours = float(other.mean()), float(mine.mean())
    return beyond and theirs > sample.sure and 1 - theirs < 0.5 * (1 - ours)


def _refusal(
    context: str, real: RealSet, mine: float, others: Mapping[str, float], sample: Sample, fits: str | None
) -> UserError:
    kind = real.preprocessing.kind
    tried = ", ".join(f"{100 * accuracy:.1f} % under {name}" for name, accuracy in others.items())
    facts = (
        f"in    {context}, last snapshot",
        f"found {100 * mine:.1f} % of {len(sample.labels)} training images of {real.name} right under {kind}",
        f"tried {tried}" if tried else "",
        f"luck  up to {100 * sample.sure:.1f} %",
    )
    if fits is not None:
        return UserError(
            f"the experts were trained under another preprocessing than the recipe's: {fits} fits, {kind} does not",
            *facts,
            fix=f"-o preprocessing={fits}, or set preprocessing: {fits} in the recipe",
        )
    return UserError(
        f"the experts know nothing of the images of {real.name}: their accuracy is that of chance",
        *facts,
        fix="name the data, the order of its classes, and the preprocessing that they were trained with; where they "
        "are meant to know nothing, add --unscored",
    )
