"""What a fresh network is trained on: images with labels, synthetic or real."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ddbench.data.loader import ImageLoader
from ddbench.data.realset import RealSet
from ddbench.synthetic.compensators import rendered
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import LabelKind
from ddbench.training.teachers import Teachers


@dataclass(frozen=True, eq=False, kw_only=True)
class TensorTrainingSet:
    """Images (S, C, H, W) and labels (S,) or (S, K) of a kind of ``ddbench.training.losses``, on the device that
    trains."""

    images: Tensor
    labels: Tensor
    label_kind: str = "hard"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[rows], self.labels[rows]

    def to(self, device: torch.device) -> TensorTrainingSet:
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@dataclass(frozen=True, eq=False, kw_only=True)
class CompensatedTrainingSet:
    """The images that a set with compensators makes, rendered batch by batch: all at once they may not fit.

    syn: on the device that trains. labels: (S, K) or (S,), of all images.
    """

    syn: SyntheticSet
    labels: Tensor
    label_kind: str = "hard"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        labels = self.labels[rows]
        return self.images(rows), labels if self.label_kind == "hard" else labels.float()

    def to(self, device: torch.device) -> CompensatedTrainingSet:
        return replace(self, syn=self.syn.to(device), labels=self.labels.to(device))

    def images(self, rows: Tensor) -> Tensor:
        """The images of these rows, (n, C, H, W), float32."""
        assert self.syn.compensation is not None
        return rendered(self.syn.images, self.syn.compensation, self.syn.preprocessing, rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class RealTrainingSet:
    """Training images of a real set with their labels. rows: (n,), int64, which of them; None is all.

    They are fed as ``ddbench.data.loader`` does: preprocessed once where that fits, else batch by batch.
    """

    real: RealSet
    device: torch.device
    rows: Tensor | None = None
    label_kind: str = "hard"

    def __len__(self) -> int:
        return len(self.real.train) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self._loader[rows if self.rows is None else self.rows.to(rows.device)[rows]]

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_feed"}

    def to(self, device: torch.device) -> RealTrainingSet:
        return replace(self, real=self.real.to(device), device=device)

    @cached_property
    def _loader(self) -> ImageLoader:
        return ImageLoader(self.real, self.real.train, self.device)


TrainingSet = TensorTrainingSet | CompensatedTrainingSet | RealTrainingSet


AT_ONCE = 1024
"""Images that are rendered together for teachers to label them."""


def training_set_of(
    syn: SyntheticSet, *, warm_up: bool = False, teachers: Teachers | None = None
) -> tuple[TrainingSet, ...]:
    """The trainings that a set asks for, one after the other; on the set's device.

    warm_up: whether one on its warm images comes first, where it has some. teachers: replace the labels by their
    logits of each image; None keeps the set's own.
    """
    if syn.compensation is not None:
        lesson = CompensatedTrainingSet(syn=syn, labels=syn.labels, label_kind=syn.label_kind)
        if teachers is None:
            return (lesson,)
        rows = torch.arange(len(lesson), device=syn.images.device).split(AT_ONCE)
        said = torch.cat([teachers.logits(lesson.images(chunk)) for chunk in rows])
        return (CompensatedTrainingSet(syn=syn, labels=said, label_kind="logits"),)
    seen = syn.decoded()
    labels: Tensor = seen.labels
    kind: LabelKind = seen.label_kind
    if teachers is not None:
        labels, kind = teachers.logits(seen.images), "logits"
    every = [seen.warm_images if warm_up else None, seen.images]
    return tuple(TensorTrainingSet(images=one, labels=labels, label_kind=kind) for one in every if one is not None)
