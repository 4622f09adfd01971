"""Augmentation of image batches: drawn from a generator, applied as a pure function of images and draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ddbench.augmentation.crops import CropFlip, CropsFlip
from ddbench.augmentation.dc import DC
from ddbench.augmentation.draw import Augmentation, Draw
from ddbench.augmentation.dsa import DSA
from ddbench.augmentation.layered import LayeredDSA
from ddbench.errors import unknown

__all__ = [
    "AUGMENTATIONS",
    "DC",
    "DSA",
    "Augmentation",
    "CropFlip",
    "CropsFlip",
    "Draw",
    "LayeredDSA",
    "augmentation",
    "check_augmentation_name",
]

AUGMENTATIONS: dict[str, Callable[[], DSA | DC | LayeredDSA | CropFlip | CropsFlip | None]] = {
    "none": lambda: None,
    "dsa": DSA,
    "dc": DC,
    "dc-bn": lambda: DC(families=("crop", "noise")),
    "dsa-idc": LayeredDSA,
    "crop-flip": CropFlip,
    "crops-flip": CropsFlip,
    "patches-crops-flip": lambda: CropsFlip(smallest=0.5, patches=2),
}


def check_augmentation_name(name: str, where: str = "") -> None:
    """Errors: UserError with the nearest names if there is no such augmentation. where: what the name was read from."""
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS, where)


def augmentation(name: str, mirror: bool = True, black: Tensor | None = None) -> Augmentation | None:
    """The augmentation of this name; None for ``"none"``.

    ``"dsa"``: all six families. ``"dc"``: the older one, crop, scale and rotate, for digits. ``"dc-bn"``: crop and
    noise, for networks with batch norm. ``"dsa-idc"``: flips and colors always, crop, scale or rotate on top.
    ``"crop-flip"``: padded by an eighth and cropped. ``"crops-flip"``: parts from 8 % of the area on, enlarged.
    ``"patches-crops-flip"``: four patches shuffled, parts from half the area on.

    Args:
        mirror: False where a mirrored image is another thing, such as a digit; nothing then flips.
        black: (C, 1, 1), what lies outside an image in the space of the images; None is zero.

    Raises:
        UserError: With the nearest names if there is no such augmentation.
    """
    check_augmentation_name(name)
    made = AUGMENTATIONS[name]()
    if isinstance(made, DSA):
        return made if mirror else made.without("flip")
    if isinstance(made, LayeredDSA | CropsFlip):
        return replace(made, mirror=mirror)
    return replace(made, mirror=mirror, black=black) if isinstance(made, CropFlip) else made
