"""Patches of real images: drawn, scored by a teacher, and put together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def draw_boxes(images: int, crops: int, size: int, min_area: float, generator: torch.Generator) -> Tensor:
    """Draw square parts of images, their area uniform between ``min_area`` and 1 of the image's.

    Args:
        images: Number of images, n.
        crops: Parts of each, m.
        size: Side of the images, in pixels.
        min_area: Least area, a fraction of the image's.
        generator: Source of the draws.

    Returns:
        Top, left and side of each part in pixels, (n, m, 3), int64.

    Source: Sun et al. 2024 (RDED, arXiv:2312.03526); torchvision's RandomResizedCrop with aspect ratio 1.
    """
    area, down, right = torch.rand(images, crops, 3, generator=generator, dtype=torch.float64).unbind(2)
    side = (size * (min_area + (1 - min_area) * area).sqrt()).round().clamp(1, size)
    top, left = ((part * (size - side + 1)).floor() for part in (down, right))
    return torch.stack([top, left, side], 2).long()


def cut(image: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Cut parts out of an image and bring them to one size.

    Args:
        image: (C, H, W).
        boxes: Top, left and side of each part, (m, 3), int64.
        side: Side of the patches, in pixels.

    Returns:
        Patches (m, C, side, side).
    """
    parts = [image[None, :, top : top + size, left : left + size] for top, left, size in boxes.tolist()]
    resized = [functional.interpolate(part, (side, side), mode="bilinear", antialias=True) for part in parts]
    return torch.cat(resized)


def centered(patches: Tensor, size: int) -> Tensor:
    """Put patches in the middle of zeros, which in standardized images are the mean color.

    Args:
        patches: (n, C, side, side).
        size: Side of the result, in pixels, of ``side`` or more.

    Returns:
        (n, C, size, size).
    """
    before = (size - patches.shape[-1]) // 2
    after = size - patches.shape[-1] - before
    return functional.pad(patches, (before, after, before, after))


def chosen_patches(losses: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose the best patch of each image, and of these the best; of equal ones the first.

    Args:
        losses: Cross-entropy of each patch, (n, m): m patches of n images.
        count: Number of patches to choose, at most n.

    Returns:
        Images and patches within them, best first, (count,) each, int64.
    """
    best, patch = losses.sort(dim=1, stable=True)
    images = best[:, 0].sort(stable=True).indices[:count]
    return images, patch[images, 0]


def cell_edges(size: int, factor: int) -> list[int]:
    """Divide a side among cells, the first of which are a pixel larger where it does not go evenly.

    Args:
        size: Side of an image, in pixels.
        factor: Cells of a side.

    Returns:
        ``factor + 1`` rising positions, from 0 to ``size``.
    """
    each, more = divmod(size, factor)
    return [number * each + min(number, more) for number in range(factor + 1)]


def mosaics(patches: Tensor, factor: int, size: int) -> Tensor:
    """Put patches together, ``factor`` x ``factor`` to an image.

    The best patches fill the first cell of every image, the next its second cell, row by row.

    Args:
        patches: Best first, (ipc * factor**2, C, h, w).
        factor: Cells of a side.
        size: Side of the images, in pixels.

    Returns:
        (ipc, C, size, size).
    """
    ipc, edges = len(patches) // factor**2, cell_edges(size, factor)
    images = patches.new_empty(ipc, patches.shape[1], size, size)
    for number, cell in enumerate(patches.split(ipc)):
        top, bottom = edges[number // factor : number // factor + 2]
        left, right = edges[number % factor : number % factor + 2]
        shape = (bottom - top, right - left)
        if cell.shape[-2:] != shape:
            cell = functional.interpolate(cell, shape, mode="bilinear", antialias=True)
        images[:, :, top:bottom, left:right] = cell
    return images
