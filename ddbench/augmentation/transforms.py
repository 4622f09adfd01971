"""The transforms that augmentations are made of: images (B, C, H, W) and one parameter an image, (B,).

Each is a pure function, differentiable in the images, and does the whole batch at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def each(parameter: Tensor, images: Tensor) -> Tensor:
    """Shape one number an image so that it multiplies images.

    Args:
        parameter: (B,).
        images: (B, C, H, W), whose dtype it takes.

    Returns:
        (B, 1, 1, 1).
    """
    return parameter.to(images.dtype).view(-1, 1, 1, 1)


def color(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Add brightness; then scale about each pixel's channel mean by saturation, then about the image mean by contrast.

    Args:
        images: (B, C, H, W).
        brightness: What is added, (B,); 0 changes nothing.
        saturation: Factor, (B,); 1 changes nothing.
        contrast: Factor, (B,); 1 changes nothing.

    Returns:
        (B, C, H, W).
    """
    images = images + each(brightness, images)
    gray = images.mean(1, keepdim=True)
    images = (images - gray) * each(saturation, images) + gray
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * each(contrast, images) + mean


def flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror images left and right.

    Args:
        images: (B, C, H, W).
        flipped: Which images, (B,), bool.

    Returns:
        (B, C, H, W).
    """
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)


def shift(images: Tensor, down: Tensor, right: Tensor, fill: Tensor | None = None) -> Tensor:
    """Move the window by whole pixels: pixel (r, c) becomes what was at (r + down, c + right).

    Args:
        images: (B, C, H, W).
        down: Rows, (B,), int64.
        right: Columns, (B,), int64.
        fill: What lies outside, broadcast to the images; None for zero.

    Returns:
        (B, C, H, W).
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) + down[:, None]
    columns = torch.arange(width, device=images.device) + right[:, None]
    return pick(images, rows, columns, fill)


def pick(images: Tensor, rows: Tensor, columns: Tensor, fill: Tensor | None = None) -> Tensor:
    """Take rows and columns of images.

    Args:
        images: (B, C, H, W).
        rows: (B, h), int64; may lie outside the image.
        columns: (B, w), int64; may lie outside the image.
        fill: What lies outside, broadcast to (B, C, h, w); None for zero.

    Returns:
        (B, C, h, w).
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
    """Zero a square; what of it lies outside falls on the border pixels.

    Args:
        images: (B, C, H, W).
        row: Row of the center, (B,), int64.
        column: Column of the center, (B,), int64.
        side: Side of the square in pixels; 0 changes nothing.

    Returns:
        (B, C, H, W).
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
    """Scale the visible part about the center; zero outside.

    Args:
        images: (B, C, H, W).
        horizontal: Factor of the width that is seen, (B,); above 1 shrinks the content, 1 changes nothing.
        vertical: Factor of the height that is seen, (B,).

    Returns:
        (B, C, H, W).
    """
    zero = torch.zeros_like(horizontal)
    return _affine(images, (horizontal, zero, zero, vertical))


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn the content anticlockwise about the center, as seen on screen; zero outside.

    Args:
        images: (B, C, H, W).
        degrees: Angle, (B,); 0 changes nothing.

    Returns:
        (B, C, H, W).
    """
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
    # F.grid_sample's own function on a CPU. On CUDA that one takes cuDNN's sampler, which no compiler can look into.
    return torch.grid_sampler_2d(images, grid, interpolation_mode=0, padding_mode=0, align_corners=True)
