"""Batches of a training: images as augmented and mixed, each with the loss of the logits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ddbench.augmentation import transforms
from ddbench.augmentation.crops import resized_crops
from ddbench.augmentation.stacked_dsa import apply_each
from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.augment import Augment
from ddbench.evaluate.training.checkpoint import Stream
from ddbench.evaluate.training.losses import as_logits, cross_entropy, kl_divergence, mixed_logits
from ddbench.evaluate.training.mixing import Mixer, Mixture
from ddbench.evaluate.training.training_sets import TrainingSet
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.training.class_rows import class_rows
from ddbench.training.epoch import joined_last
from ddbench.training.loop import Batch, Criterion
from ddbench.training.losses import classification_loss

_CPU = torch.device("cpu")

Label = Callable[[Tensor], Tensor]
"""Images (B, C, H, W) to a teacher's logits (B, K)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AugmentedBatches:
    """Batches whose augmentation and mixing are drawn anew in every epoch.

    The last batch is smaller, unless it were a single image and the configuration joins it to the one before.

    Raises:
        ValueError: The configuration needs a teacher, or soft labels, and there are none.
    """

    training_set: TrainingSet
    """Images and labels."""
    config: TrainingConfig
    """Batch size, mixing and loss."""
    augment: Augment | None
    """Augmentation; None for none."""
    mixer: Mixer
    """Source of the mixing of a batch with itself."""
    generator: torch.Generator
    """Stream that shuffles, once an epoch."""
    label: Label | None = None
    """Teacher that labels the images as they are seen, where the targets are a teacher's."""
    device: torch.device = _CPU
    """Device of the training set."""
    classes: Tensor | None = None
    """Class of each image, (S,), int64, on the CPU, where batches are drawn by class."""

    def __post_init__(self) -> None:
        if self.config.batches == "by-class" and self.classes is None:
            raise ValueError("batches by class need to know the class of each image")
        if self.config.targets == "teacher" and self.label is None:
            raise ValueError("a configuration whose labels are a teacher's needs one")
        if self.config.targets == "set" and self.config.loss == "kl" and self.training_set.label_kind == "hard":
            raise ValueError("a divergence needs soft labels")

    @property
    def streams(self) -> dict[str, Stream]:
        """Generators that an epoch is drawn from, by name: in equal states, equal batches are drawn."""
        augmenting = {} if self.augment is None else self.augment.streams
        return {"shuffling": self.generator, **augmenting, **self.mixer.streams}

    def epoch(self, number: int) -> Iterator[Batch]:
        """Draw the batches of an epoch.

        Args:
            number: Not used: every epoch is drawn anew.

        Returns:
            Images (B, C, H, W), each with the loss of their logits (B, K).
        """
        del number
        for rows in self.batches():
            images, labels = self.training_set[rows]
            if self.augment is not None:
                images = self.augment(images)
            yield self.mixed(images, labels)

    def batches(self) -> list[Tensor]:
        """Draw the rows of the training set that each batch of an epoch has.

        Returns:
            Rows (B,) on the device, batch by batch. Every row comes once, unless a single batch is drawn by class.
        """
        if self.classes is not None:
            some = {"at_once": self.config.classes_per_step, "of_each": self.config.images_per_class}
            rows = class_rows(self.classes, int(self.classes.max()) + 1, self.generator, **some)
            return [(torch.arange(len(self.classes)) if rows is None else rows).to(self.device)]
        order = torch.randperm(len(self.training_set), generator=self.generator, device=self.generator.device)
        batches = order.to(self.device).split(self.config.batch)
        return joined_last(batches) if self.config.joins_last else list(batches)

    def mixed(self, images: Tensor, labels: Tensor) -> Batch:
        """Mix a batch with itself where the configuration does.

        Args:
            images: Augmented images (B, C, H, W).
            labels: Labels (B,) or (B, K).

        Returns:
            The images, and the loss of their logits.
        """
        mixture = self.mixer.draw(len(images), images.shape[-1])
        seen = images if mixture is None else mixture.apply(images)
        return Batch(seen, self._criterion(seen, labels, mixture))

    def _criterion(self, seen: Tensor, labels: Tensor, mixture: Mixture | None) -> Criterion:
        config, kind = self.config, self.training_set.label_kind
        if config.targets == "teacher" and self.label is not None:
            return kl_divergence(self.label(seen), config.temperature, squared=config.squared_temperature)
        if config.loss == "kl":
            target = mixed_logits(as_logits(labels, kind), mixture)
            return kl_divergence(target, config.temperature, squared=config.squared_temperature)
        return cross_entropy(labels, kind, mixture)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredBatches:
    """Batches that a teacher labeled, shown again: the same crops, flips, partners and labels.

    After the last epoch stored the first comes again. A last batch of one view is mixed by itself, and shown with the
    one before where the configuration joins it.
    """

    images: Tensor
    """Images (S, C, H, W)."""
    stored: EpochLabels
    """Views and their labels, by epoch."""
    config: TrainingConfig
    """Temperature of the loss, and whether a last batch is joined."""

    @property
    def streams(self) -> dict[str, Stream]:
        """No generators: nothing here is drawn."""
        return {}

    def epoch(self, number: int) -> Iterator[Batch]:
        """Give the batches of an epoch as stored.

        Args:
            number: Epoch, from 0; after the last one stored the first comes again.

        Returns:
            Images (B, C, H, W), each with the loss of their logits (B, K).
        """
        stored, epoch = self.stored, number % self.stored.epochs
        every = list(torch.arange(stored.batches).split(1))
        if self.config.joins_last and stored.order.shape[1] % stored.batch == 1:
            every = [*every[:-2], torch.cat(every[-2:])]
        for batches in every:
            parts = [self._batch(epoch, batch) for batch in batches.tolist()]
            images, logits = (torch.cat(part) for part in zip(*parts, strict=True))
            config = self.config
            yield Batch(images, kl_divergence(logits, config.temperature, squared=config.squared_temperature))

    def _batch(self, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """Give a batch as it was stored: images, and the teacher's logits of them."""
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


Batches = AugmentedBatches | StoredBatches
"""Batches of one network's training, by epoch."""


def stacked_epoch(batches: Sequence[Batches], number: int, *, fused: bool = False) -> Iterator[Batch]:
    """Give an epoch of k networks at once; every network sees what its own batches would show it.

    Args:
        batches: Those of each network, of one training set and configuration.
        number: Number of the epoch, counted from 0.
        fused: As in ``ddbench.augmentation.stacked_dsa.apply_each``.

    Yields:
        Images (k, B, C, H, W), and the sum of the networks' losses by their logits (k, B, K).
    """
    drawn = [one for one in batches if isinstance(one, AugmentedBatches)]
    if drawn:
        yield from _drawn_at_once(drawn, fused)
    else:
        yield from map(_side_by_side, zip(*(one.epoch(number) for one in batches), strict=True))


def _drawn_at_once(networks: Sequence[AugmentedBatches], fused: bool) -> Iterator[Batch]:
    """Give the epoch of batches that are drawn, with as much as can be done in one go for all networks."""
    training_set, config = networks[0].training_set, networks[0].config
    augments = [one.augment for one in networks if one.augment is not None]
    for rows in zip(*(one.batches() for one in networks), strict=True):
        every = torch.stack(rows)
        images, labels = (part.unflatten(0, every.shape) for part in training_set[every.flatten()])
        if augments:
            shape = (images.shape[1], images.shape[-1])
            draws = [augment.draw(*shape) for augment in augments]
            images = apply_each(augments[0].chosen, images, draws, fused=fused)
        if config.mixing == "none" and config.loss == "ce" and config.targets == "set":
            yield Batch(images, partial(_cross_entropies, labels, training_set.label_kind))
        else:
            yield _side_by_side([one.mixed(*own) for one, *own in zip(networks, images, labels, strict=True)])


def _side_by_side(batches: Iterable[Batch]) -> Batch:
    """Stack one batch of each network, with the sum of their losses."""
    own = list(batches)
    return Batch(torch.stack([one.inputs for one in own]), partial(_summed, [one.criterion for one in own]))


def _summed(criteria: Sequence[Criterion], logits: Tensor) -> Tensor:
    return torch.stack([criterion(own) for criterion, own in zip(criteria, logits, strict=True)]).sum()


def _cross_entropies(labels: Tensor, kind: str, logits: Tensor) -> Tensor:
    """The sum of k networks' mean losses: k times the mean over all, in as few operations as one network's."""
    return len(logits) * classification_loss(logits.flatten(0, 1), labels.flatten(0, 1), kind)
