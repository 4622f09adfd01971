"""The real data of a run: three splits of images and labels, and the preprocessing they are seen through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes, as they are stored.

    images: (n, C, H, W), uint8 in 0..255 or float32 in [0, 1], possibly memory-mapped. labels: (n,), int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Split:
        return Split(self.images.to(device), self.labels.to(device))

    def rows_of_class(self, label: int) -> Tensor:
        """The positions of one class, in order, (count,), int64."""
        rows, classes = self._by_class
        first, end = torch.searchsorted(classes, torch.tensor([label, label + 1], device=classes.device)).tolist()
        return rows[first:end].clone()

    @cached_property
    def _by_class(self) -> tuple[Tensor, Tensor]:
        """All positions, those of a class together and in order, and the class of each: sorted once for all classes."""
        rows = self.labels.argsort(stable=True)
        return rows, self.labels[rows]


@dataclass(frozen=True, eq=False, kw_only=True)
class RealSet:
    """Real images with labels, a validation split cut from train, and a preprocessing fitted on train alone.

    name: as in recipes and rows, such as ``"cifar10"``. fingerprint: of the name, the bytes of the training images, the
    split and the preprocessing; every artefact made from this set carries it. mirror: whether a mirrored image is still
    of its class, which it is not for digits; augmentation asks. device: where ``inputs`` puts what it makes.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    preprocessing: Preprocessing
    fingerprint: str
    mirror: bool = True
    splits: str = ""
    """What train, validation and test are, with counts, in one line."""
    notes: tuple[str, ...] = ()
    """What a user must know of how the set was read, a sentence each."""
    device: torch.device = torch.device("cpu")

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    @property
    def size(self) -> int:
        """Side of the square images, in pixels."""
        return self.train.images.shape[2]

    def to(self, device: torch.device | str) -> RealSet:
        """The same set with its inputs on ``device``. The images stay where they are stored: they may not fit there."""
        device = torch.device(device)
        return replace(self, preprocessing=self.preprocessing.to(device), device=device)

    def inputs(self, split: Split, rows: Tensor | slice = slice(None)) -> Tensor:
        """The chosen images as a network sees them: float32, preprocessed, (n, C, H, W), on ``device``."""
        here = rows.to(split.images.device) if isinstance(rows, Tensor) else rows
        return self.preprocessing.forward(as_unit_float(split.images[here].to(self.device)))

    def require_ipc(self, ipc: int, where: str = "") -> None:
        """Errors: UserError, which says ``where`` it was asked, when a class has fewer than ``ipc`` training images."""
        counts = torch.bincount(self.train.labels, minlength=self.classes)
        fewest = int(counts.min())
        if ipc > fewest:
            label, small = int(counts.argmin()), int((counts < ipc).sum())
            raise UserError(
                f"ipc {ipc} is larger than a class",
                f"from  {where}" if where else "",
                f"class {self.class_names[label]!r} of {self.name} has {fewest} training images, the fewest; "
                f"{small} of {self.classes} classes have fewer than {ipc}",
                "real images are drawn, or compared with, for every method, those that start from noise included",
                fix=f"choose an ipc of at most {fewest}, or leave out the classes that are smaller",
            )


def as_unit_float(images: Tensor) -> Tensor:
    """Stored images as float32 in [0, 1]."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images.to(torch.float32)
