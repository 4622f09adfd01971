"""What a network sees of its lesson: batches as augmented and mixed, each with the loss it is to be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ddbench.augmentation import transforms
from ddbench.augmentation.crops import resized_crops
from ddbench.epoch_labels import EpochLabels
from ddbench.evaluate.criterion import Criterion, as_logits, cross_entropy, divergence, mixed_logits
from ddbench.evaluate.lesson import Lesson
from ddbench.evaluate.mixing import Mixer, Mixture
from ddbench.evaluate.protocol import Course
from ddbench.evaluate.unfinished import Stream
from ddbench.training import joined_last, shuffled_batches


class Augment(Protocol):
    """Images (B, C, H, W) to randomly changed images of the same shape; draws from generators of its own."""

    @property
    def streams(self) -> Mapping[str, Stream]: ...
    def __call__(self, images: Tensor, /) -> Tensor: ...


Label = Callable[[Tensor], Tensor]
"""Images (B, C, H, W) to a teacher's logits (B, K)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnViews:
    """Views drawn anew in every epoch, in batches of the course's size; the last is smaller, unless it were a single
    image and the course joins it to the one before. generator: shuffles, once an epoch. label: of a course whose
    targets are a teacher's. Errors: ValueError where a course needs a teacher, or soft labels, and there are none.
    """

    lesson: Lesson
    course: Course
    augment: Augment | None
    mixer: Mixer
    generator: torch.Generator
    label: Label | None = None

    def __post_init__(self) -> None:
        if self.course.targets == "teacher" and self.label is None:
            raise ValueError("a course whose labels are a teacher's needs one")
        if self.course.targets == "set" and self.course.loss == "kl" and self.lesson.label_kind == "hard":
            raise ValueError("a divergence needs soft labels")

    @property
    def streams(self) -> dict[str, Stream]:
        """All that an epoch is drawn from, by name: in equal states, equal views are drawn."""
        augmenting = {} if self.augment is None else self.augment.streams
        return {"shuffling": self.generator, **augmenting, **self.mixer.streams}

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Criterion]]:
        """The batches of an epoch: what is seen, (B, C, H, W), and the loss of its logits."""
        del number
        batches = list(shuffled_batches(len(self.lesson), self.course.batch, self.generator))
        for rows in joined_last(batches) if self.course.joins_last else batches:
            images, labels = self.lesson[rows]
            if self.augment is not None:
                images = self.augment(images)
            mixture = self.mixer.draw(len(images), images.shape[-1])
            seen = images if mixture is None else mixture.apply(images)
            yield seen, self._criterion(seen, labels, mixture)

    def _criterion(self, seen: Tensor, labels: Tensor, mixture: Mixture | None) -> Criterion:
        course, kind = self.course, self.lesson.label_kind
        if course.targets == "teacher" and self.label is not None:
            return divergence(self.label(seen), course.temperature)
        if course.loss == "kl":
            return divergence(mixed_logits(as_logits(labels, kind), mixture), course.temperature)
        return cross_entropy(labels, kind, mixture)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredViews:
    """The views that a teacher labelled, shown again: same crops, flips, partners and labels; after the last epoch
    stored the first comes again. A last batch of one view is mixed by itself, and shown with the one before where the
    course joins it. images: (S, C, H, W).
    """

    images: Tensor
    stored: EpochLabels
    course: Course

    @property
    def streams(self) -> dict[str, Stream]:
        """Nothing here is drawn."""
        return {}

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Criterion]]:
        """The batches of an epoch, as they were stored."""
        stored, epoch = self.stored, number % self.stored.epochs
        every = list(torch.arange(stored.batches).split(1))
        if self.course.joins_last and stored.order.shape[1] % stored.batch == 1:
            every = [*every[:-2], torch.cat(every[-2:])]
        for batches in every:
            parts = [self._batch(epoch, batch) for batch in batches.tolist()]
            images, logits = (torch.cat(part) for part in zip(*parts, strict=True))
            yield images, divergence(logits, self.course.temperature)

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


Views = DrawnViews | StoredViews
