"""Whether images that are held in memory fit there once they are resized, which a size alone does not say."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.free_memory import free_bytes

AT_ONCE = 1024
"""Images that are resized together, as float32."""


_HELD = {
    "digits": (1_797, 1, 4),
    "mnist": (70_000, 1, 1),
    "fashion-mnist": (70_000, 1, 1),
    "svhn": (99_289, 3, 1),
    "cifar10": (60_000, 3, 1),
    "cifar100": (60_000, 3, 1),
}
"""Images, channels, and bytes a value, of known sets that are held in memory."""


def refuse_huge_size(dataset: str, size: int | None, where: str) -> None:
    """See that a known set can be resized, before anything of it is read.

    Args:
        dataset: Its name in a recipe.
        size: Side in pixels that its images should get; None keeps them as they are.
        where: The place in the recipe that the size is from.

    Raises:
        UserError: The images alone would take more than the memory that is free.
    """
    if dataset not in _HELD or size is None:
        return
    count, channels, each = _HELD[dataset]
    free, needed = free_bytes(torch.device("cpu")), count * channels * each * size**2
    if free is not None and needed > free:
        raise UserError(
            f"{count:,} images of {size} x {size} pixels do not fit into memory",
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
        f"{count:,} images of {size} x {size} pixels do not fit into memory",
        f"needed {a_pixel * size**2 / 1e9:,.1f} GB, free {free / 1e9:,.1f} GB",
        f"they have {images.shape[-1]} pixels as they are stored",
        fix=f"choose a smaller size; {max(int((free / a_pixel) ** 0.5), 1)} is the largest that fits",
    )
