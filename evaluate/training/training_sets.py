"""Training sets of fresh networks: images with labels, synthetic or real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddbench.evaluate.training.real_split import RealSplit
from ddbench.synthetic.compensators import rendered
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import LabelKind, hard_labels
from ddbench.training.teachers import Teachers


@dataclass(frozen=True, eq=False, kw_only=True)
class TensorTrainingSet:
    """Images and labels that lie on the device that trains."""

    images: Tensor
    """Images (S, C, H, W), preprocessed."""
    labels: Tensor
    """Labels (S,) or (S, K)."""
    label_kind: str = "hard"
    """Kind of the labels, as in ``ddbench.training.losses``."""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[rows], self.labels[rows]

    def to(self, device: torch.device) -> TensorTrainingSet:
        """Move images and labels to a device.

        Args:
            device: Device that trains.

        Returns:
            The set there.
        """
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@dataclass(frozen=True, eq=False, kw_only=True)
class CompensatedTrainingSet:
    """Images that a set with compensators makes, rendered batch by batch: all at once they may not fit."""

    syn: SyntheticSet
    """Set with compensators, on the device that trains."""
    labels: Tensor
    """Labels (S,) or (S, K) of all rendered images."""
    label_kind: str = "hard"
    """Kind of the labels, as in ``ddbench.training.losses``."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        labels = self.labels[rows]
        return self.images(rows), labels if self.label_kind == "hard" else labels.float()

    def to(self, device: torch.device) -> CompensatedTrainingSet:
        """Move set and labels to a device.

        Args:
            device: Device that trains.

        Returns:
            The set there, which renders its images on the device.
        """
        return replace(self, syn=self.syn.to(device), labels=self.labels.to(device))

    def images(self, rows: Tensor) -> Tensor:
        """Render the images of these rows.

        Args:
            rows: Positions (n,), int64.

        Returns:
            Images (n, C, H, W), float32.
        """
        assert self.syn.compensation is not None
        return rendered(self.syn.images, self.syn.compensation, self.syn.preprocessing, rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class RealTrainingSet:
    """Training images of a real set with their labels, preprocessed once where that fits, else batch by batch."""

    images: RealSplit
    """Training split with its preprocessing and device."""
    rows: Tensor | None = None
    """Positions (n,), int64, of the images that are trained on; None for all."""
    label_kind: str = "hard"
    """Kind of the labels."""

    def __len__(self) -> int:
        return len(self.images) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.images.loader[rows if self.rows is None else self.rows.to(rows.device)[rows]]

    def to(self, device: torch.device) -> RealTrainingSet:
        """Give the batches on another device.

        Args:
            device: Device that trains.

        Returns:
            The set; the stored images stay on their device.
        """
        return replace(self, images=self.images.to(device))


TrainingSet = TensorTrainingSet | CompensatedTrainingSet | RealTrainingSet
"""Map-style data set: a length, and images with labels by rows."""


def classes_of(training_set: TrainingSet) -> Tensor:
    """Tell the class of each image.

    Args:
        training_set: Images with labels; those of sets with soft labels lie class by class, as many of each.

    Returns:
        (S,), int64, on the CPU.
    """
    if isinstance(training_set, RealTrainingSet):
        labels = training_set.images.split.labels
        return (labels if training_set.rows is None else labels[training_set.rows.to(labels.device)]).cpu()
    labels, count = training_set.labels, len(training_set)
    if labels.dim() == 1 or count % labels.shape[1]:
        return hard_labels(labels).cpu()
    return torch.arange(labels.shape[1]).repeat_interleave(count // labels.shape[1])


RENDERED_AT_ONCE = 1024
"""Images that are rendered together for teachers to label them."""


def make_training_sets(
    syn: SyntheticSet, *, warm_up: bool = False, teachers: Teachers | None = None
) -> tuple[TrainingSet, ...]:
    """Make the training sets of a synthetic set, one for each training that it asks for.

    Args:
        syn: Synthetic set on the device that trains.
        warm_up: Whether one of its warm images comes first, where it has some.
        teachers: Networks whose logits of each image replace the labels; None keeps the set's own.

    Returns:
        Training sets in the order of their trainings, on the device of ``syn``.
    """
    if syn.compensation is not None:
        rendered_set = CompensatedTrainingSet(syn=syn, labels=syn.labels, label_kind=syn.label_kind)
        if teachers is None:
            return (rendered_set,)
        chunks = torch.arange(len(rendered_set), device=syn.images.device).split(RENDERED_AT_ONCE)
        logits = torch.cat([teachers.logits(rendered_set.images(chunk)) for chunk in chunks])
        return (CompensatedTrainingSet(syn=syn, labels=logits, label_kind="logits"),)
    decoded = syn.decoded()
    labels: Tensor = decoded.labels
    kind: LabelKind = decoded.label_kind
    if teachers is not None:
        labels, kind = teachers.logits(decoded.images), "logits"
    every = [decoded.warm_images if warm_up else None, decoded.images]
    return tuple(TensorTrainingSet(images=one, labels=labels, label_kind=kind) for one in every if one is not None)
