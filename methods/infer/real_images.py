"""The natural images: random ones of each class, a set at a time, kept as the pixels they are."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.data.class_subset import random_rows
from ddbench.data.realset import RealSet


def natural_rows(real: RealSet, sets: int, generator: torch.Generator) -> Tensor:
    """Draw the natural images, without replacement within a class.

    Args:
        real: The data set.
        sets: Natural sets, K.
        generator: Source of the draws.

    Returns:
        Training rows, (K * classes,), int64: set after set, each with one image of every class in order.

    Raises:
        UserError: A class has fewer than ``sets`` images.
    """
    return random_rows(real, sets, generator).view(real.classes, sets).mT.flatten()


def natural_pixels(real: RealSet, rows: Tensor) -> tuple[Tensor, bool]:
    """Read training images as pixels; those that are stored as numbers in [0, 1] are rounded to 256 levels.

    Args:
        real: The data set.
        rows: Training rows, (n,), int64.

    Returns:
        Images (n, C, H, W), uint8, on the CPU, and whether they had to be rounded.
    """
    images = real.train.images[rows.to(real.train.images.device)].cpu()
    if images.dtype == torch.uint8:
        return images, False
    pixels = images.mul(255).round().clamp(0, 255).to(torch.uint8)
    return pixels, not bool(torch.isclose(pixels / 255, images, rtol=0, atol=1e-6).all())
