"""Training data of an evaluation: sets of images, the source of labels, and how each network's batches are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ddbench.data.preprocessing import seen_value
from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.augment import augment_by
from ddbench.evaluate.training.batches import AugmentedBatches, Batches, StoredBatches
from ddbench.evaluate.training.mixing import Mixer
from ddbench.evaluate.training.training_sets import TensorTrainingSet, TrainingSet, classes_of
from ddbench.randomness import stream
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.training.teachers import Teachers

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingSource:
    """Images that networks are trained on, and where their labels come from."""

    sets: tuple[TrainingSet, ...]
    """Training sets, one training after the other."""
    channels: int
    """Channels of the images."""
    mirror: bool
    """Whether a mirrored image is still of its class."""
    preprocessing: Mapping[str, Any]
    """Description of the space that the images are in (``Preprocessing.describe()``)."""
    teachers: Teachers | None = None
    """Networks that label every batch; None takes the labels of the sets."""
    stored: EpochLabels | None = None
    """Views and labels shown again in the place of new ones."""

    def to(self, device: torch.device | str) -> TrainingSource:
        """Move the images, the teachers and the stored labels to a device.

        Args:
            device: Device that trains.

        Returns:
            The source there.
        """
        device = torch.device(device)
        return replace(
            self,
            sets=tuple(training_set.to(device) for training_set in self.sets),
            teachers=self.teachers and self.teachers.to(device),
            stored=None if self.stored is None else self.stored.to(device),
        )

    @property
    def images(self) -> int:
        """Images in one epoch of every training together."""
        return sum(map(len, self.sets)) if self.stored is None else self.stored.order.shape[1]

    @property
    def fewest_images(self) -> int:
        """Images in an epoch of the shortest training."""
        return min(map(len, self.sets)) if self.stored is None else self.stored.order.shape[1]

    def batch_size(self, training: TrainingConfig) -> int:
        """Images in a full batch.

        Args:
            training: Configuration, whose batch counts where no views are stored.

        Returns:
            The protocol's number, or that of the stored views.
        """
        return training.batch if self.stored is None else self.stored.batch

    def steps_per_epoch(self, training: TrainingConfig) -> int:
        """Updates in an epoch of the shortest training.

        Args:
            training: Configuration, which decides whether a last batch of one image is joined to the one before.

        Returns:
            Number of batches.
        """
        if training.batches == "by-class" and self.stored is None:
            return 1
        images, batch = self.fewest_images, self.batch_size(training)
        steps = -(-images // batch)
        return steps - 1 if training.joins_last and images % batch == 1 and steps > 1 else steps

    def batches(self, training: TrainingConfig, seed: int, device: torch.device) -> list[Batches]:
        """Make the batches that the network of a seed sees, one object a training.

        Their random streams run on from one training to the next. All is drawn on the CPU, so that a GPU has fewer and
        larger things to do, and sees what a CPU would.

        Args:
            training: Every number of the training.
            seed: Evaluation seed of the network.
            device: Device that trains; the source is there already.

        Returns:
            Batches of each training set, in order.
        """
        if self.stored is not None and isinstance(first := self.sets[0], TensorTrainingSet):
            return [StoredBatches(images=first.images, stored=self.stored, config=training)]
        black = seen_value(self.preprocessing, 0.0, torch.empty(1, self.channels, 1, 1, device=device))
        drawn = {
            "augment": augment_by(training.augmentation, mirror=self.mirror, seed=seed, device=_CPU, black=black),
            "mixer": Mixer(training, seed, _CPU),
            "generator": stream(seed, "evaluation", "shuffling"),
            "label": None if self.teachers is None else self.teachers.logits,
            "device": device,
        }
        by_class = training.batches == "by-class"
        return [
            AugmentedBatches(training_set=one, config=training, classes=classes_of(one) if by_class else None, **drawn)
            for one in self.sets
        ]
