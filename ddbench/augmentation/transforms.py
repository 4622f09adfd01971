"""The transforms that augmentations are made of: images (B, C, H, W) and one parameter an image, (B,).

Each is a pure function, differentiable in the images, and does the whole batch at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def each(parameter: Tensor, images: Tensor) -> Tensor:
    """One number an image, (B,), as (B, 1, 1, 1) in the images' dtype."""
    return parameter.to(images.dtype).view(-1, 1, 1, 1)


def color(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Add brightness; then scale about each pixel's channel mean by saturation, then about the image mean by contrast.

    Neutral: 0, 1, 1.
    """
    images = images + each(brightness, images)
    gray = images.mean(1, keepdim=True)
    images = (images - gray) * each(saturation, images) + gray
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * each(contrast, images) + mean


def flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror left and right where flipped (bool) is set."""
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)


def shift(images: Tensor, down: Tensor, right: Tensor, fill: Tensor | None = None) -> Tensor:
    """Move the window by whole pixels (int64): pixel (r, c) becomes what was at (r + down, c + right), else fill."""
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) + down[:, None]
    columns = torch.arange(width, device=images.device) + right[:, None]
    return pick(images, rows, columns, fill)


def pick(images: Tensor, rows: Tensor, columns: Tensor, fill: Tensor | None = None) -> Tensor:
    """Images (B, C, h, w) of the chosen rows (B, h) and columns (B, w), int64; outside the image there is ``fill``.

    Args:
        fill: Broadcast to (B, C, h, w); zero if None.
    """
    batch, channels, height, width = images.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    index = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    flat = index.flatten(1)[:, None, :].expand(-1, channels, -1)
    picked = images.flatten(2).gather(2, flat).view(batch, channels, *index.shape[1:])
    if fill is None:
        return picked * inside[:, None].to(images.dtype)
    return torch.where(inside[:, None], picked, fill)


def cutout(images: Tensor, row: Tensor, column: Tensor, side: int) -> Tensor:
    """Zero a square of ``side`` pixels about (row, column), int64; what of it lies outside falls on the border pixels.

    Neutral: side 0.
    """
    if side == 0:
        return images
    height, width = images.shape[2:]
    rows = _span(row, side, height, images.device)
    columns = _span(column, side, width, images.device)
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


def _span(center: Tensor, side: int, size: int, device: torch.device) -> Tensor:
    """Which of ``size`` positions lie in the clamped span of ``side`` about each center, (B, size) bool."""
    first = center[:, None] - side // 2
    positions = torch.arange(size, device=device)
    return (positions >= first.clamp(0, size - 1)) & (positions <= (first + side - 1).clamp(0, size - 1))


def scale(images: Tensor, horizontal: Tensor, vertical: Tensor) -> Tensor:
    """See ``horizontal`` by ``vertical`` times as much about the center (above 1 shrinks the content); zero outside.

    Neutral: 1, 1.
    """
    zero = torch.zeros_like(horizontal)
    return _affine(images, (horizontal, zero, zero, vertical))


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn about the center, content anticlockwise by ``degrees`` as seen on screen; zero outside. Neutral: 0."""
    radians = degrees * (math.pi / 180)
    cosine, sine = radians.cos(), radians.sin()
    return _affine(images, (cosine, -sine, sine, cosine))


def _affine(images: Tensor, matrix: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Sample bilinearly at matrix @ (x, y), in coordinates where the corner pixels' centers are at -1 and 1."""
    batch, _, height, width = images.shape
    xx, xy, yx, yy = (entry.to(images.dtype).view(batch, 1, 1) for entry in matrix)
    x = torch.linspace(-1, 1, width, dtype=images.dtype, device=images.device)[None, None, :]
    y = torch.linspace(-1, 1, height, dtype=images.dtype, device=images.device)[None, :, None]
    grid = torch.stack((xx * x + xy * y, yx * x + yy * y), dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
