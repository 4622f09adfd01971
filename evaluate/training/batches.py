"""What a network sees of its lesson: batches as augmented and mixed, each with the loss it is to be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ddbench.augmentation import Augmentation, Draw, transforms
from ddbench.augmentation.crops import resized_crops
from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.checkpoint import Stream
from ddbench.evaluate.training.losses import Criterion, as_logits, cross_entropy, kl_divergence, mixed_logits
from ddbench.evaluate.training.mixing import Mixer, Mixture
from ddbench.evaluate.training.training_sets import TrainingSet
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.training.epoch import joined_last
from ddbench.training.losses import classification_loss
from ddbench.training.stacked_epoch import apply_each


class Augment(Protocol):
    """Images (B, C, H, W) to randomly changed images of the same shape; draws from generators of its own."""

    @property
    def chosen(self) -> Augmentation: ...
    @property
    def streams(self) -> Mapping[str, Stream]: ...
    def draw(self, count: int, side: int) -> Draw: ...
    def __call__(self, images: Tensor, /) -> Tensor: ...


_CPU = torch.device("cpu")

Label = Callable[[Tensor], Tensor]
"""Images (B, C, H, W) to a teacher's logits (B, K)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AugmentedBatches:
    """Views drawn anew in every epoch, in batches of the course's size; the last is smaller, unless it were a single
    image and the course joins it to the one before. generator: shuffles, once an epoch. device: of the lesson. label:
    of a course whose targets are a teacher's. Errors: ValueError where a course needs a teacher, or soft labels, and
    there are none.
    """

    lesson: TrainingSet
    config: TrainingConfig
    augment: Augment | None
    mixer: Mixer
    generator: torch.Generator
    label: Label | None = None
    device: torch.device = _CPU

    def __post_init__(self) -> None:
        if self.config.targets == "teacher" and self.label is None:
            raise ValueError("a course whose labels are a teacher's needs one")
        if self.config.targets == "set" and self.config.loss == "kl" and self.lesson.label_kind == "hard":
            raise ValueError("a divergence needs soft labels")

    @property
    def streams(self) -> dict[str, Stream]:
        """All that an epoch is drawn from, by name: in equal states, equal views are drawn."""
        augmenting = {} if self.augment is None else self.augment.streams
        return {"shuffling": self.generator, **augmenting, **self.mixer.streams}

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Criterion]]:
        """The batches of an epoch: what is seen, (B, C, H, W), and the loss of its logits."""
        del number
        for rows in self.batches():
            images, labels = self.lesson[rows]
            if self.augment is not None:
                images = self.augment(images)
            yield self.mixed(images, labels)

    def batches(self) -> list[Tensor]:
        """Which of the lesson's images each batch of an epoch has, drawn anew."""
        order = torch.randperm(len(self.lesson), generator=self.generator, device=self.generator.device)
        batches = order.to(self.device).split(self.config.batch)
        return joined_last(batches) if self.config.joins_last else list(batches)

    def mixed(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Criterion]:
        """A batch as it is seen, mixed where the course does, and the loss of its logits."""
        mixture = self.mixer.draw(len(images), images.shape[-1])
        seen = images if mixture is None else mixture.apply(images)
        return seen, self._criterion(seen, labels, mixture)

    def _criterion(self, seen: Tensor, labels: Tensor, mixture: Mixture | None) -> Criterion:
        config, kind = self.config, self.lesson.label_kind
        if config.targets == "teacher" and self.label is not None:
            return kl_divergence(self.label(seen), config.temperature)
        if config.loss == "kl":
            return kl_divergence(mixed_logits(as_logits(labels, kind), mixture), config.temperature)
        return cross_entropy(labels, kind, mixture)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredBatches:
    """The views that a teacher labelled, shown again: same crops, flips, partners and labels; after the last epoch
    stored the first comes again. A last batch of one view is mixed by itself, and shown with the one before where the
    course joins it. images: (S, C, H, W).
    """

    images: Tensor
    stored: EpochLabels
    config: TrainingConfig

    @property
    def streams(self) -> dict[str, Stream]:
        """Nothing here is drawn."""
        return {}

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Criterion]]:
        """The batches of an epoch, as they were stored."""
        stored, epoch = self.stored, number % self.stored.epochs
        every = list(torch.arange(stored.batches).split(1))
        if self.config.joins_last and stored.order.shape[1] % stored.batch == 1:
            every = [*every[:-2], torch.cat(every[-2:])]
        for batches in every:
            parts = [self._batch(epoch, batch) for batch in batches.tolist()]
            images, logits = (torch.cat(part) for part in zip(*parts, strict=True))
            yield images, kl_divergence(logits, self.config.temperature)

    def _batch(self, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """A batch as it was stored: what is seen, and the teacher's logits of it."""
        stored, begin = self.stored, batch * self.stored.batch
        views = slice(begin, min(begin + stored.batch, stored.order.shape[1]))
        images = resized_crops(self.images[stored.order[epoch, views]], stored.coords[epoch, views])
        images = transforms.flip(images, stored.flips[epoch, views])
        if stored.mixing != "none":
            images = self._mixture(epoch, batch, views).apply(images)
        return images, stored.logits[epoch, views].to(images.dtype)

    def _mixture(self, epoch: int, batch: int, views: slice) -> Mixture:
        stored = self.stored
        partners = stored.partners[epoch, views] - views.start
        share = float(stored.lam[epoch, batch])
        if stored.mixing == "mixup":
            return Mixture(partners, share)
        left, top, right, bottom = stored.boxes[epoch, batch].tolist()
        return Mixture(partners, share, (left, top, right, bottom))


Views = AugmentedBatches | StoredBatches


def stacked_epoch(views: Sequence[Views], number: int, *, fused: bool = False) -> Iterator[tuple[Tensor, Criterion]]:
    """An epoch of k networks: what each sees, (k, B, C, H, W), and the sum of their losses by logits (k, B, K).

    Every network is shown what its own views would show it. views: of one lesson and course. fused: as
    in ``ddbench.training.stacked_epoch.apply_each``.
    """
    drawn = [one for one in views if isinstance(one, AugmentedBatches)]
    if drawn:
        yield from _drawn_together(drawn, fused)
    else:
        yield from map(_side_by_side, zip(*(one.epoch(number) for one in views), strict=True))


def _drawn_together(views: Sequence[AugmentedBatches], fused: bool) -> Iterator[tuple[Tensor, Criterion]]:
    """The same of views that are drawn, with as much as can be done in one go for all networks."""
    lesson, config = views[0].lesson, views[0].config
    augments = [one.augment for one in views if one.augment is not None]
    for rows in zip(*(one.batches() for one in views), strict=True):
        every = torch.stack(rows)
        images, labels = (found.unflatten(0, every.shape) for found in lesson[every.flatten()])
        if augments:
            shape = (images.shape[1], images.shape[-1])
            draws = [augment.draw(*shape) for augment in augments]
            images = apply_each(augments[0].chosen, images, draws, fused=fused)
        if config.mixing == "none" and config.loss == "ce" and config.targets == "set":
            yield images, partial(_cross_entropies, labels, lesson.label_kind)
        else:
            yield _side_by_side([one.mixed(*own) for one, *own in zip(views, images, labels, strict=True)])


def _side_by_side(batches: Iterable[tuple[Tensor, Criterion]]) -> tuple[Tensor, Criterion]:
    """One batch of each network, and the sum of their losses."""
    seen, criteria = zip(*batches, strict=True)
    return torch.stack(seen), partial(_summed, criteria)


def _summed(criteria: Sequence[Criterion], logits: Tensor) -> Tensor:
    return torch.stack([criterion(own) for criterion, own in zip(criteria, logits, strict=True)]).sum()


def _cross_entropies(labels: Tensor, kind: str, logits: Tensor) -> Tensor:
    """The sum of k networks' mean losses: k times the mean over all, in as few operations as one network's."""
    return len(logits) * classification_loss(logits.flatten(0, 1), labels.flatten(0, 1), kind)
