"""Limits of memory, asked before arrays are made: of files that unpack, and of images that are resized."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.data.known_sets import KNOWN
from ddbench.errors import UserError
from ddbench.runtime.available_memory import free_bytes

AT_ONCE = 1024
"""Images that are resized together, as float32."""


def require_memory(needed: int, what: str) -> None:
    """See that so many bytes are free, before they are asked for.

    Args:
        needed: Bytes.
        what: Takes them, in words, for the message.

    Raises:
        UserError: More than the memory that is free.
    """
    free = free_bytes(torch.device("cpu"))
    if free is not None and needed > free:
        raise UserError(
            f"{what} does not fit in memory",
            f"it takes {needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free",
            fix="choose a smaller size, or store the images as files and use folder:PATH, which need not fit",
        )


_HELD_IN_MEMORY = ("digits", "mnist", "fashion-mnist", "svhn", "cifar10", "cifar100")
"""Known sets that are not mapped from files."""


def refuse_huge_size(dataset: str, size: int | None, where: str) -> None:
    """See that a known set can be resized, before anything of it is read.

    Args:
        dataset: Its name in a recipe.
        size: Side in pixels that its images should get; None keeps them as they are.
        where: The place in the recipe that the size is from.

    Raises:
        UserError: The images alone would take more than the memory that is free.
    """
    if dataset not in _HELD_IN_MEMORY or size is None:
        return
    known = KNOWN[dataset]
    count, item = known.train + known.test, torch.float32.itemsize if dataset == "digits" else 1
    free, needed = free_bytes(torch.device("cpu")), count * known.channels * item * size**2
    if free is not None and needed > free:
        raise UserError(
            f"{count:,} images of {size} x {size} pixels do not fit in memory",
            f"from  {where}",
            f"needed {needed / 1e9:,.1f} GB, free {free / 1e9:,.1f} GB",
            fix="choose a smaller size, or leave it out to keep the images as they are",
        )


def require_resized_fit(images: Tensor, size: int) -> None:
    """See that images can be resized, before the first is.

    Args:
        images: (n, C, H, W), as they are.
        size: Side in pixels that they should get.

    Raises:
        UserError: They would take more than the memory that is free; says how much, and the largest size that fits.
    """
    free = free_bytes(torch.device("cpu"))
    count, channels = images.shape[:2]
    a_pixel = channels * (count * images.element_size() + 2 * min(count, AT_ONCE) * torch.float32.itemsize)
    if free is None or a_pixel * size**2 <= free:
        return
    raise UserError(
        f"{count:,} images of {size} x {size} pixels do not fit in memory",
        f"needed {a_pixel * size**2 / 1e9:,.1f} GB, free {free / 1e9:,.1f} GB",
        f"they have {images.shape[-1]} pixels as they are stored",
        fix=f"choose a smaller size; {max(int((free / a_pixel) ** 0.5), 1)} is the largest that fits; or store "
        "the images as files and use folder:PATH, which need not fit",
    )
