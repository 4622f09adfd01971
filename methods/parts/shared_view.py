"""Augmentation of compensated images for a teacher: all images of a job are moved and cropped alike."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ddbench.augmentation import CropsFlip

Box = tuple[int, int, int, int]


class View(NamedTuple):
    """Transformation of all images of a job at a step: cropped and enlarged, mirrored, then moved round the edge."""

    box: Box | None
    """Part that is enlarged, in pixels: top, left, height, width; None for the whole."""
    mirrored: bool
    """Whether it is mirrored after that."""
    down: int
    """Move down, in pixels."""
    right: int
    """Move to the right, in pixels."""


def drawn_view(
    size: int,
    *,
    shift: int,
    crop: bool,
    mirror: bool,
    generator: torch.Generator,
    least_area: float = 0.08,
    both_ways: bool = False,
) -> View:
    """Draw a view.

    Args:
        size: Side of the images, in pixels.
        shift: Largest move, in pixels; it goes down and right, by 0 to ``shift`` each.
        crop: Whether a part is enlarged and mirrored half the time.
        mirror: Whether a mirrored image is still of its class; where not, a crop is not mirrored.
        least_area: Least part that is enlarged, a fraction of the area.
        both_ways: Whether moves go up and left as well, by ``-shift`` to ``shift``.
        generator: Source of the draws.

    Returns:
        The view.

    Source: Zhang et al. 2024 (INFER, arXiv:2408.06927), released code; torchvision's RandomResizedCrop.
    """
    box, mirrored = None, False
    if crop:
        part, flipped = CropsFlip(smallest=least_area, mirror=mirror).draw(1, size, generator).parameters
        top, left, height, width = part.mul(size).round().long()[0].tolist()
        box, mirrored = (top, left, height, width), bool(flipped.item())
    least = -shift if both_ways else 0
    down, right = torch.randint(least, shift + 1, (2,), generator=generator).tolist()
    return View(box, mirrored, down, right)


def seen_under(view: View, images: Tensor) -> Tensor:
    """Transform images by a view. Differentiable.

    Args:
        view: The view.
        images: (n, C, H, W).

    Returns:
        (n, C, H, W).
    """
    if view.box is not None:
        top, left, height, width = view.box
        part = images[:, :, top : top + height, left : left + width]
        images = functional.interpolate(part, images.shape[-2:], mode="bilinear", antialias=True)
    if view.mirrored:
        images = images.flip(3)
    return images.roll((view.down, view.right), (2, 3)) if view.down or view.right else images
