"""Augmentation of image batches: drawn from a generator, applied as a pure function of images and draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ddbench.augmentation.crops import CropFlip, CropsFlip
from ddbench.augmentation.dc import DCPolicy
from ddbench.augmentation.draw import Augmentation, Draw
from ddbench.augmentation.dsa import DSAPolicy
from ddbench.augmentation.layered import LayeredDSA
from ddbench.errors import unknown

__all__ = [
    "AUGMENTATIONS",
    "DCPolicy",
    "DSAPolicy",
    "Augmentation",
    "CropFlip",
    "CropsFlip",
    "Draw",
    "LayeredDSA",
    "augmentation",
    "check_augmentation_name",
]

AUGMENTATIONS: dict[str, Callable[[], DSAPolicy | DCPolicy | LayeredDSA | CropFlip | CropsFlip | None]] = {
    "none": lambda: None,
    "dsa": DSAPolicy,
    "flip-rotate": lambda: DSAPolicy(families=("flip", "rotate")),
    "dc": DCPolicy,
    "dc-bn": lambda: DCPolicy(families=("crop", "noise")),
    "dsa-idc": LayeredDSA,
    "crop-flip": CropFlip,
    "crops-flip": CropsFlip,
    "patches-crops-flip": lambda: CropsFlip(smallest=0.5, patches=2),
}


def check_augmentation_name(name: str, where: str = "") -> None:
    """Refuse a name that no augmentation has.

    Args:
        name: The name.
        where: The place it was read from, for the error; may be empty.

    Raises:
        UserError: There is no such augmentation; gives the nearest names.
    """
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS, where)


def augmentation(name: str, mirror: bool = True, black: Tensor | None = None) -> Augmentation | None:
    """Make the augmentation of a name.

    ``"dsa"``: all six families. ``"flip-rotate"``: two of these, turned by at most 15 degrees. ``"dc"``: the older one,
    crop, scale and rotate, for digits. ``"dc-bn"``: crop and noise, for networks with batch norm. ``"dsa-idc"``: flips
    and colors always, crop, scale or rotate on top. ``"crop-flip"``: padded by an eighth and cropped.
    ``"crops-flip"``: parts from 8 % of the area on, enlarged. ``"patches-crops-flip"``: four patches shuffled, parts
    from half the area on.

    Args:
        name: One of these, or "none".
        mirror: Whether images may be mirrored; False where a mirrored image is another thing, such as a digit.
        black: What lies outside an image in the space of the images, (C, 1, 1); None for zero.

    Returns:
        The augmentation; None for "none".

    Raises:
        UserError: There is no such augmentation; gives the nearest names.
    """
    check_augmentation_name(name)
    made = AUGMENTATIONS[name]()
    if isinstance(made, DSAPolicy):
        return made if mirror else made.without("flip")
    if isinstance(made, LayeredDSA | CropsFlip):
        return replace(made, mirror=mirror)
    return replace(made, mirror=mirror, black=black) if isinstance(made, CropFlip) else made
