"""Numbers of a training: what a protocol varies, what that depends on, and what it resolves to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OptimizerName = Literal["sgd", "adam", "adamw"]
Batches = Literal["shuffled", "by-class"]
Schedule = Literal["drop", "constant", "cosine", "half-cosine", "steps"]
MixingName = Literal["none", "cutmix", "mixup"]
LossName = Literal["ce", "kl"]
Targets = Literal["set", "teacher"]


@dataclass(frozen=True, kw_only=True)
class ProtocolOverrides:
    """Values that a protocol varies between data sets, networks and sizes; None is the protocol's own value.

    Fields without a line of their own are as in :class:`Protocol`.
    """

    epochs: int
    """Epochs E."""
    augmentation: str
    """Name in ``ddbench.augmentation``; "dsa" has no flip where a mirrored image is no longer of its class."""
    batch: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    mixing: MixingName | None = None
    mix_alpha: float | None = None
    mix_probability: float | None = None
    temperature: float | None = None
    classes_per_step: int | None = None
    images_per_class: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationContext:
    """Facts that a setting may depend on."""

    dataset: str
    """Name of the data set as in rows; some of its classes, ``mnist[0,1]``, count as itself."""
    network: str
    """Canonical name of the network."""
    batch_norm: bool
    """Whether the network has batch norm."""
    ipc: int
    """Images per class as trained on."""
    classes: int
    """Classes of the data set."""
    size: int
    """Side of the images, in pixels."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A protocol resolved for one network and set: every choice made, nothing left to look up.

    Fields without a line of their own are as in :class:`Protocol`.
    """

    epochs: int
    """Epochs E, which the schedule counts by."""
    trained_epochs: int
    """Epochs that are trained."""
    batch: int
    """Images in a step."""
    joins_last: bool
    """Whether a last batch of one image is joined to the one before, as batch norm needs."""
    augmentation: str
    optimizer: OptimizerName
    lr: float
    momentum: float
    weight_decay: float
    decay_kernels_only: bool
    schedule: Schedule
    drop_factor: float
    mixing: MixingName
    mix_alpha: float
    mix_probability: float
    loss: LossName
    temperature: float
    targets: Targets
    batches: Batches = "shuffled"
    classes_per_step: int | None = None
    images_per_class: int | None = None
    warm_up_epochs: int = 0
    squared_temperature: bool = False

    def images_seen(self, images: int) -> int:
        """Count the images of a whole training, each as often as it is seen.

        Args:
            images: Images of the set.

        Returns:
            Images of all steps together.
        """
        return self.trained_epochs * (min(self.batch, images) if self.batches == "by-class" else images)

    @property
    def vectors(self) -> int:
        """Vectors of the size of the parameters that a step holds.

        Parameters, gradients, what the optimizer keeps, and what it needs in passing.
        """
        return 4 if self.optimizer == "sgd" else 5
