"""The natural images: random ones of each class, a set at a time, kept as the pixels they are."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.methods.parts.initialization import random_rows


def natural_rows(real: RealSet, sets: int, generator: torch.Generator) -> Tensor:
    """Training rows, (sets * classes,), int64: set after set, each with one image of every class in order.

    Drawn without replacement within a class.

    Raises:
        UserError: A class has fewer than ``sets`` images.
    """
    return random_rows(real, sets, generator).view(real.classes, sets).mT.flatten()


def natural_pixels(real: RealSet, rows: Tensor) -> tuple[Tensor, bool]:
    """Training images of these rows as pixels, uint8 (n, C, H, W), on the CPU; whether they had to be rounded.

    Images that are stored as numbers in [0, 1] are rounded to 256 levels.
    """
    images = real.train.images[rows.to(real.train.images.device)].cpu()
    if images.dtype == torch.uint8:
        return images, False
    pixels = images.mul(255).round().clamp(0, 255).to(torch.uint8)
    return pixels, not bool(torch.isclose(pixels / 255, images, rtol=0, atol=1e-6).all())
