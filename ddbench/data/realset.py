"""The real data of a run: three splits of images and labels, and the preprocessing they are seen through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.split_words import splits_in_words
from ddbench.errors import UserError
from ddbench.networks.image_shape import ImageShape


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes, as they are stored."""

    images: Tensor
    """(n, C, H, W), uint8 in 0..255 or float32 in [0, 1], possibly memory-mapped."""
    labels: Tensor
    """(n,), int64."""
    preprocessing: Preprocessing | None = None
    """The map of the set that the split is part of; None for a split that stands alone."""

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self)} images {_by_side(self.images)}, {self.images.dtype})".replace("torch.", "")

    def to(self, device: torch.device | str) -> Split:
        """Copy images and labels.

        Args:
            device: The device of the copy.

        Returns:
            The same split there.
        """
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def to_dataset(self, *, preprocessed: bool = True) -> SplitDataset:
        """Make a ``torch.utils.data.Dataset`` of (image, label).

        The images are those that networks of this set see, in the same space as ``SyntheticSet.to_dataset()``, so that
        a network trained on one can be tested on the other.

        Args:
            preprocessed: Whether the set's preprocessing is applied; False gives images in [0, 1].

        Returns:
            Map-style: item i is an image (C, H, W), float32, and its class, a scalar int64; on the device of the
            images. Images are converted when they are read, a batch at once where a ``DataLoader`` reads them.
        """
        mapping = self.preprocessing if preprocessed else None
        return SplitDataset(self, None if mapping is None else mapping.to(self.images.device))

    def rows_of_class(self, label: int) -> Tensor:
        """Find the images of one class.

        Args:
            label: The class.

        Returns:
            Positions, in order, (count,), int64.
        """
        rows, classes = self._by_class
        first, end = torch.searchsorted(classes, torch.tensor([label, label + 1], device=classes.device)).tolist()
        return rows[first:end].clone()

    @cached_property
    def _by_class(self) -> tuple[Tensor, Tensor]:
        """All positions, those of a class together and in order, and the class of each: sorted once for all classes."""
        rows = self.labels.argsort(stable=True)
        return rows, self.labels[rows]


class SplitDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images of a split as float32, with their classes; read one at a time, or as many as a batch has."""

    def __init__(self, split: Split, preprocessing: Preprocessing | None) -> None:
        """Wrap a split.

        Args:
            split: Stored images and classes.
            preprocessing: Map that is applied to images in [0, 1]; None leaves them as they are.
        """
        self.split, self.preprocessing = split, preprocessing

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Read several items at once, as a ``DataLoader`` does.

        Args:
            indices: Positions in the split.

        Returns:
            Images (C, H, W), float32, each with its class, a scalar int64.
        """
        rows = torch.as_tensor(indices, device=self.split.images.device)
        images = as_unit_float(self.split.images[rows])
        if self.preprocessing is not None:
            images = self.preprocessing.forward(images)
        return list(zip(images, self.split.labels[rows], strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class RealSet:
    """Real images with labels, a validation split cut from train, and a preprocessing fitted on train alone."""

    DOMAIN: ClassVar[str] = "images"
    """Name of its domain."""
    name: str
    """Name in recipes and rows, such as ``"cifar10"``."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    train: Split
    """Images to distill and to train experts on."""
    validation: Split
    """Images held out of the training images, to choose on; may be empty."""
    test: Split
    """Images on which networks are tested."""
    preprocessing: Preprocessing
    """Map from images in [0, 1] to what networks see; the splits carry it as well."""
    fingerprint: str
    """Of the name, the bytes of the training images, the split and the preprocessing; all that is made from this set
    carries it."""
    mirror: bool = True
    """Whether a mirrored image is still of its class, which it is not for digits; augmentation depends on it."""
    splits: str = ""
    """What train, validation and test are, with counts, in one line."""
    notes: tuple[str, ...] = ()
    """What a user must know of how the set was read, a sentence each."""
    device: torch.device = torch.device("cpu")
    """Device on which ``inputs`` puts what it makes."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            split: Split = getattr(self, name)
            if split.preprocessing is not self.preprocessing:
                object.__setattr__(self, name, replace(split, preprocessing=self.preprocessing))

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={len(getattr(self, name))}" for name in ("train", "validation", "test"))
        shape = _by_side(self.train.images)
        return f"RealSet({self.name!r}, {counts}, {shape}, {self.classes} classes, {self.preprocessing.kind})"

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """Color channels of an image."""
        return self.train.images.shape[1]

    @property
    def size(self) -> int:
        """Side of the square images, in pixels."""
        return self.train.images.shape[2]

    @property
    def shape(self) -> ImageShape:
        """What a network must know of the set: channels, size and classes."""
        return ImageShape(self.channels, self.size, self.classes)

    def to(self, device: torch.device | str) -> RealSet:
        """Copy the set with its inputs on another device. The images stay where they are stored: they may not fit
        there.

        Args:
            device: Device on which ``inputs`` puts what it makes.

        Returns:
            The set.
        """
        device = torch.device(device)
        return replace(self, preprocessing=self.preprocessing.to(device), device=device)

    def inputs(self, split: Split, rows: Tensor | slice = slice(None)) -> Tensor:
        """Preprocess images as a network sees them.

        Args:
            split: One of the splits.
            rows: Positions, (n,), int64, or a slice; all by default.

        Returns:
            (n, C, H, W), float32, on ``device``.
        """
        here = rows.to(split.images.device) if isinstance(rows, Tensor) else rows
        return self.preprocessing.forward(as_unit_float(split.images[here].to(self.device)))

    def in_words(self) -> tuple[str, ...]:
        """Describe the splits; one whose splits nobody described is described by its counts.

        Returns:
            A sentence on the splits, and one for each note.
        """
        counted = splits_in_words(len(self.train), len(self.validation), len(self.test))
        return (self.splits or counted, *self.notes)

    def require_ipc(self, ipc: int, where: str = "") -> None:
        """Refuse more images per class than a class has.

        Args:
            ipc: Images per class.
            where: The place it was read from, for the error; may be empty.

        Raises:
            UserError: A class has fewer than ``ipc`` training images.
        """
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


def _by_side(images: Tensor) -> str:
    return "x".join(str(side) for side in images.shape[1:])


def as_unit_float(images: Tensor) -> Tensor:
    """Turn stored images into numbers in [0, 1].

    Args:
        images: uint8, or float in [0, 1].

    Returns:
        float32, of the same shape.
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images.to(torch.float32)
