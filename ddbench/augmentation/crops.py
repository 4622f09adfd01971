"""Crops and flips, as networks for images are commonly trained; every image draws for itself.

They do to tensors what torchvision does to files: what lies outside an image is black, which in a preprocessed space is
not zero, so they are told what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ddbench.augmentation import transforms
from ddbench.augmentation.draw import Draw, integers, parameters_for, uniform
from ddbench.augmentation.dsa import rounded

TRIES = 10
"""How often a random crop is drawn before the whole image is taken instead."""

_ASPECT = (math.log(3 / 4), math.log(4 / 3))


@final
@dataclass(frozen=True, eq=False)
class CropFlip:
    """Images are padded with ``black`` (C, 1, 1), cropped to their size, and mirrored half the time.

    Source: torchvision's RandomCrop(32, padding=4) and RandomHorizontalFlip.
    """

    pad: float = 0.125
    """As a part of the side: 4 of 32 pixels."""
    mirror: bool = True
    """False never mirrors."""
    black: Tensor | None = None
    """None is zero."""

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw moves and flips.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            Rows down and right, (B,) each, int64, and whether mirrored, (B,), bool.
        """
        reach = rounded(self.pad, size)
        moved = integers(-reach, reach, (2, batch), generator).unbind()
        return Draw("crop-flip", (*moved, _mirrored(batch, self.mirror, generator)))

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Move and mirror images.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.
        """
        down, right, mirrored = parameters_for(images, draw)
        black = None if self.black is None else self.black.to(images)
        return transforms.flip(transforms.shift(images, down, right, black), mirrored)


@final
@dataclass(frozen=True, eq=False)
class CropsFlip:
    """A random part of each image, enlarged to its size, and mirrored half the time.

    Source: torchvision's RandomResizedCrop, aspect 3/4 to 4/3; patches after RDED (arXiv:2312.03526).
    """

    smallest: float = 0.08
    """Least share of the image's area."""
    patches: int = 1
    """f where each image is first cut into f x f patches, whose columns and rows change places; 1 leaves it whole."""
    mirror: bool = True
    """Whether images may be mirrored."""

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw crops, flips, and the order of patches.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            Top, left, height and width of the part as fractions, (B, 4); whether mirrored, (B,); with patches the order
            of columns and of rows, (B, f) each.
        """
        orders = tuple(
            uniform(0, 1, (batch, self.patches), generator).argsort(1) for _ in range(2 if self.patches > 1 else 0)
        )
        part = _drawn_parts(batch, size, self.smallest, generator)
        return Draw("crops-flip", (part, _mirrored(batch, self.mirror, generator), *orders))

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Reorder, crop and mirror images.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.
        """
        part, mirrored, *orders = parameters_for(images, draw)
        if orders:
            images = _reordered(images, *orders)
        return transforms.flip(resized_crops(images, part), mirrored)


def resized_crops(images: Tensor, parts: Tensor) -> Tensor:
    """Enlarge a part of each image to its size.

    Bilinear between the centers of pixels; beyond the outermost centers of the part the nearest pixel of the part.

    Args:
        images: (B, C, S, S).
        parts: Top, left, height and width as fractions of the side, (B, 4).

    Returns:
        (B, C, S, S).
    """
    side = images.shape[-1]
    top, left, height, width = (parts.to(images.dtype) * side).unbind(1)
    centers = (torch.arange(side, device=images.device, dtype=images.dtype) + 0.5) / side
    rows, columns = (
        torch.minimum(torch.maximum(begin[:, None] + centers * length[:, None], begin[:, None] + 0.5), last[:, None])
        for begin, length, last in ((top, height, top + height - 0.5), (left, width, left + width - 0.5))
    )
    return _interpolated_rows(_interpolated_rows(images, rows).mT, columns).mT


def _interpolated_rows(images: Tensor, positions: Tensor) -> Tensor:
    """Rows of images at these positions (B, h), in pixels, where the center of row r is at r + 0.5; linear between."""
    side = images.shape[2]
    exact = (positions - 0.5).clamp(0, side - 1)
    above = exact.floor().long().clamp(max=max(side - 2, 0))
    share = (exact - above).view(len(images), 1, -1, 1)
    index = above.view(len(images), 1, -1, 1).expand(-1, images.shape[1], -1, images.shape[3])
    return images.gather(2, index) * (1 - share) + images.gather(2, (index + 1).clamp(max=side - 1)) * share


def _reordered(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Each image with its vertical strips, then its horizontal ones, in the order given, (B, f) each."""
    return transforms.pick(images, _strips(rows, images.shape[2]), _strips(columns, images.shape[3]))


def _strips(order: Tensor, side: int) -> Tensor:
    """Which line each line of the result shows, (B, side): strips of side // f, the last with what is over."""
    factor = order.shape[1]
    thick = side // factor
    lengths = torch.full_like(order, thick)
    lengths[order == factor - 1] = side - thick * (factor - 1)
    ends = lengths.cumsum(1)
    lines = torch.arange(side, device=order.device).expand(len(order), -1).contiguous()
    strip = torch.searchsorted(ends, lines, right=True)
    within = lines - (ends - lengths).gather(1, strip)
    return order.gather(1, strip) * thick + within


def _drawn_parts(batch: int, size: int, smallest: float, generator: torch.Generator) -> Tensor:
    area = uniform(smallest, 1, (batch, TRIES), generator) * size * size
    aspect = uniform(*_ASPECT, (batch, TRIES), generator).exp()
    width, height = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (width > 0) & (width <= size) & (height > 0) & (height <= size)
    first = fits.int().argmax(1, keepdim=True)
    fitting = fits.any(1)
    width, height = (torch.where(fitting, side.gather(1, first)[:, 0], float(size)) for side in (width, height))
    top, left = (
        (uniform(0, 1, (batch,), generator) * (size - side + 1)).floor().clamp(max=size - side)
        for side in (height, width)
    )
    return torch.stack((top, left, height, width), 1) / size


def _mirrored(batch: int, mirror: bool, generator: torch.Generator) -> Tensor:
    return uniform(0, 1, (batch,), generator) < (0.5 if mirror else 0.0)
