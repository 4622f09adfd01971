"""Candidates of a comparison: images and labels that fresh networks are trained on, each in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ddbench.data.class_subset import shuffled_rows
from ddbench.data.realset import RealSet
from ddbench.evaluate.leaderboard.make_row import synthetic_sha256
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.scores import Scores, SplitName
from ddbench.randomness import stream
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers

Train = Callable[[Sequence[int], float, SplitName], Scores]
"""Trains a network a seed, from this rate on, and tests it on this split after its last epoch."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingSetup:
    """Everything that all candidates share."""

    real: RealSet
    """Real set on the device."""
    network: str
    """Canonical name of the network that is trained."""
    compute: Compute
    """How networks are trained and tested."""
    teachers: Teachers | None = None
    """Networks that label, on the soft track; None on the hard one."""

    def teachers_of(self, recipe: Protocol) -> Teachers | None:
        """Teachers that a recipe trains with.

        Args:
            recipe: Protocol of a candidate.

        Returns:
            The teachers where the recipe trains on soft labels, else None.
        """
        return self.teachers if recipe.loss == "kl" else None

    @cached_property
    def teachers_fingerprint(self) -> str | None:
        """Fingerprint of the teachers; None where there are none."""
        return None if self.teachers is None else self.teachers.fingerprint


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One side of a difference."""

    name: str
    """Side of the comparison, such as "syn" or "random"."""
    recipe: Protocol
    """Protocol that networks are trained by."""
    identity: dict[str, Any]
    """What it is, as JSON, apart from recipe, teachers, network, seed and rate."""
    train: Train
    """Trains networks of some seeds with a rate, and tests them on a split."""
    together: int = 1
    """How many seeds are best trained in one call."""


def of_set(bench: RankingSetup, name: str, syn: SyntheticSet, recipe: Protocol) -> Candidate:
    """Candidate of the synthetic images, with the labels that they have.

    Args:
        bench: Everything that the candidates share.
        name: Side of the comparison, such as "syn" or "syn_hard".
        syn: Synthetic set.
        recipe: Protocol that networks are trained by.

    Returns:
        The candidate, whose seeds may be trained together.
    """

    def train(seeds: Sequence[int], lr: float, split: SplitName) -> Scores:
        return _score(bench, syn, recipe, seeds, lr, split)

    identity = {"set": synthetic_sha256(syn), "label_kind": syn.label_kind, "formation": syn.formation}
    return Candidate(name=name, recipe=recipe, identity=identity, train=train, together=bench.compute.executor.at_once)


def of_random(bench: RankingSetup, name: str, like: SyntheticSet, recipe: Protocol) -> Candidate:
    """Candidate of as many real images a class as a synthetic set stores, others for every seed.

    Teachers label the images as they are where the recipe trains with one soft label an image.

    Args:
        bench: Everything that the candidates share.
        name: Side of the comparison, such as "random".
        like: Synthetic set whose ipc is matched.
        recipe: Protocol that networks are trained by.

    Returns:
        The candidate, which trains one seed at a time.
    """

    def train(seeds: Sequence[int], lr: float, split: SplitName) -> Scores:
        (seed,) = seeds
        return _score(bench, random_set(bench.real, like, seed), recipe, seeds, lr, split)

    return Candidate(name=name, recipe=recipe, identity={"random": like.ipc}, train=train)


def of_real(bench: RankingSetup, name: str, recipe: Protocol) -> Candidate:
    """Candidate of all real training images with their classes.

    Args:
        bench: Everything that the candidates share.
        name: Side of the comparison, such as "real".
        recipe: Protocol that networks are trained by.

    Returns:
        The candidate, whose seeds may be trained together.
    """

    def train(seeds: Sequence[int], lr: float, split: SplitName) -> Scores:
        return score_real(
            bench.real,
            protocol=recipe,
            network=bench.network,
            seeds=seeds,
            compute=bench.compute,
            split=split,
            lr=lr,
        )

    return Candidate(
        name=name, recipe=recipe, identity={"real": "all"}, train=train, together=bench.compute.executor.at_once
    )


def _score(
    bench: RankingSetup, syn: SyntheticSet, recipe: Protocol, seeds: Sequence[int], lr: float, split: SplitName
) -> Scores:
    return score(
        syn,
        bench.real,
        protocol=recipe,
        network=bench.network,
        seeds=seeds,
        compute=bench.compute,
        split=split,
        lr=lr,
        teachers=bench.teachers_of(recipe),
    )


def random_rows(real: RealSet, ipc: int, seed: int) -> Tensor:
    """Random positions in the training split, ``ipc`` of each class.

    Args:
        real: Real set.
        ipc: Images per class.
        seed: Decides alone which are drawn.

    Returns:
        Positions (ipc * K,) on the CPU, class by class.

    Raises:
        UserError: A class has fewer images.
    """
    real.require_ipc(ipc)
    streams = (stream(seed, "ddranking", "random images", label) for label in range(real.classes))
    return torch.cat([shuffled_rows(real, label, draws)[:ipc] for label, draws in enumerate(streams)])


def random_set(real: RealSet, like: SyntheticSet, seed: int) -> SyntheticSet:
    """Random real images with their classes, as many a class as a synthetic set stores.

    Args:
        real: Real set.
        like: Synthetic set whose ipc, names and preprocessing are taken over.
        seed: Decides alone which images are drawn.

    Returns:
        The images, class by class, as a set of the method "random".
    """
    rows = random_rows(real, like.ipc, seed)
    images = real.inputs(real.train, rows)
    return SyntheticSet(
        images=images,
        labels=real.train.labels[rows.to(real.train.labels.device)].to(images.device),
        ipc=like.ipc,
        dataset=like.dataset,
        class_names=like.class_names,
        network=like.network,
        preprocessing=like.preprocessing,
        method="random",
    )


def with_classes(syn: SyntheticSet) -> tuple[SyntheticSet, list[str]]:
    """The same images with hard labels.

    Soft labels need not have their class on top. Images stand class by class, as DD-Ranking assumes, where at least
    half of the labels say so; else the class is the most likely one of the label.

    Args:
        syn: Synthetic set with hard or soft labels.

    Returns:
        The set, and notes for a reader on where its classes come from; a set with hard labels is itself, without any.
    """
    if syn.label_kind == "hard":
        return syn, []
    likely = syn.hard_labels()
    if len(syn) == syn.ipc * syn.classes:
        by_place = torch.arange(syn.classes, device=likely.device).repeat_interleave(syn.ipc)
        differ = int((by_place != likely).sum())
        if 2 * differ <= len(syn):
            note = f"hard labels: the class by place; {differ} of {len(syn)} soft labels have another on top"
            return replace(syn, labels=by_place, label_kind="hard"), [note] if differ else []
    note = "hard labels: the most likely class of the soft ones, because images do not stand class by class"
    return replace(syn, labels=likely, label_kind="hard"), [note]
