"""Augmentation of image batches: drawn from a generator, applied as a pure function of images and draw."""

from __future__ import annotations

from collections.abc import Callable

from ddbench.augmentation.dc import DC
from ddbench.augmentation.draw import Augmentation, Draw
from ddbench.augmentation.dsa import DSA
from ddbench.errors import unknown

__all__ = ["AUGMENTATIONS", "DC", "DSA", "Augmentation", "Draw", "augmentation", "check_augmentation_name"]

AUGMENTATIONS: dict[str, Callable[[], DSA | DC | None]] = {
    "none": lambda: None,
    "dsa": DSA,
    "dc": DC,
    "dc-bn": lambda: DC(families=("crop", "noise")),
}


def check_augmentation_name(name: str, where: str = "") -> None:
    """Errors: UserError with the nearest names if there is no such augmentation. where: what the name was read from."""
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS, where)


def augmentation(name: str, mirror: bool = True) -> Augmentation | None:
    """The augmentation of this name; None for ``"none"``.

    ``"dsa"``: all six families. ``"dc"``: the older one, crop, scale and rotate, for digits. ``"dc-bn"``: crop and
    noise, for networks with batch norm. mirror: False where a mirrored image is another thing, such as a digit;
    DSA then has no flip. Errors: UserError with the nearest names if there is no such augmentation.
    """
    check_augmentation_name(name)
    made = AUGMENTATIONS[name]()
    return made.without("flip") if isinstance(made, DSA) and not mirror else made
