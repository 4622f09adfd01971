"""Raw data of a source: all training images, the test images, and the known facts about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ddbench.data.memory_limits import AT_ONCE, require_resized_fit
from ddbench.data.realset import Split
from ddbench.data.split_words import SplitNames
from ddbench.errors import UserError

DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Arguments of a source's loader."""

    what: str
    """The part of a dataset name after its colon (``"/data/cats"`` of ``folder:/data/cats``), or the whole name."""
    data_root: Path
    """Where raw data lies or is downloaded to."""
    home: Path
    """Where caches are kept."""
    size: int | None = None
    """Wanted side in pixels, or None for the images' own."""
    quiet: bool = False
    """Whether no progress is shown."""
    where: str = ""
    """The line of the recipe, for messages."""
    download: bool = True
    """Whether what is not there may be fetched."""

    @property
    def origin(self) -> str:
        """Fact of an error that names the recipe's line; empty where there is none."""
        return f"from     {self.where}" if self.where else ""


@dataclass(frozen=True, eq=False, kw_only=True)
class RawData:
    """A dataset before its validation split is cut and its preprocessing is fitted."""

    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    train: Split
    """Training images."""
    test: Split
    """Test images."""
    validation: Split | None = None
    """A validation split that comes with the set; None where it is cut from train."""
    constants: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Mean and std by channel of images in [0, 1]; None to compute them from the train split."""
    mirror: bool = True
    """Whether a mirrored image still belongs to its class, which is not so for digits."""
    train_sha256: str = ""
    """Hash of the bytes of all training images, where it is known already; "" to compute it."""
    test_sha256: str = ""
    """The same of the test images."""
    validation_sha256: str = ""
    """The same of the validation images."""
    split_names: SplitNames = SplitNames()
    """How the splits are called where they lie."""
    notes: tuple[str, ...] = ()
    """What a user must know of how the set was read, a sentence each."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def arrays_to_split(images: Tensor, labels: Tensor, classes: int, size: int | None, what: str) -> Split:
    """Make a checked split of arrays, resized where a size is given.

    Args:
        images: (n, C, H, W), uint8 or float32 in [0, 1].
        labels: (n,), int64.
        classes: Number of classes.
        size: Side in pixels; None for the images' own.
        what: The split, for messages.

    Returns:
        The split.

    Raises:
        UserError: There are no images, counts differ, labels lie outside the classes, images are not square or have no
            pixels, or do not fit in memory in the size that is wanted.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise UserError(
            f"{what} has {len(images)} images and {len(labels)} labels",
            fix="give every image one label, and at least one",
        )
    check_labels(labels, classes, what)
    height, width = images.shape[2:]
    if not images.numel():
        raise UserError(
            f"the images of {what} have no pixels", f"found {width} x {height}", fix="store images of one pixel or more"
        )
    if size is None and height != width:
        raise not_square(what, width, height)
    return Split(squash(images, size) if size else images, labels)


def check_labels(labels: Tensor, classes: int, what: str) -> None:
    """Refuse labels outside 0..classes-1.

    Args:
        labels: (n,), integers, one at the least.
        classes: Number of classes.
        what: The split, for messages.

    Raises:
        UserError: A label lies outside.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UserError(
            f"labels of {what} do not fit its {classes} classes",
            f"found {low} to {high}, expected 0 to {classes - 1}",
            fix="number the classes from 0 and leave out images without a label",
        )


def not_square(what: str, width: int, height: int) -> UserError:
    """Make the error for images whose sides differ, where no size was given.

    Args:
        what: The images, for messages.
        width: In pixels.
        height: In pixels.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"the images of {what} are not square",
        f"found {width} x {height} pixels",
        fix="set the dataset's size (in pixels): every image is then resized to a square of that side",
    )


def squash(images: Tensor, size: int) -> Tensor:
    """Resize images to squares, bilinear and antialiased.

    Args:
        images: (n, C, H, W).
        size: Side, in pixels.

    Returns:
        (n, C, size, size), in the type they came in.

    Raises:
        UserError: They do not fit in memory in this size.
    """
    if images.shape[2:] == (size, size):
        return images
    require_resized_fit(images, size)
    resized = torch.empty(len(images), images.shape[1], size, size, dtype=images.dtype)
    for rows in torch.arange(len(images)).split(AT_ONCE):
        chunk = F.interpolate(images[rows].float(), (size, size), mode="bilinear", antialias=True)
        resized[rows] = chunk.round().clamp(0, 255).byte() if images.dtype == torch.uint8 else chunk.to(images.dtype)
    return resized
