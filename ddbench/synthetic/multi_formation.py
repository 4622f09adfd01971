"""Multi-formation: several small images stored in the place of one, and seen in full size when they are trained on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def decode_formation(images: Tensor, factor: int, grey: Tensor) -> Tensor:
    """Cut mosaics into their small images, each enlarged to the size of the mosaic. Differentiable.

    Args:
        images: Mosaics, (n, C, H, W).
        factor: Small images in a row, f.
        grey: What fills up a side that ``factor`` does not divide, (C, 1, 1).

    Returns:
        (f * f * n, C, H, W): the upper left crop of every image, then the next crop to the right of every image, and so
        on row by row.

    Source: Kim et al. 2022 (arXiv:2205.14959), the decoding of IDC.
    """
    side = images.shape[-1]
    if lacking := -side % factor:
        filled = grey.expand(len(images), -1, side + lacking, side + lacking).clone()
        filled[..., :side, :side] = images
        images = filled
    small = images.shape[-1] // factor
    rows = images.unflatten(2, (factor, small)).unflatten(4, (factor, small))
    crops = rows.permute(2, 4, 0, 1, 3, 5).flatten(0, 2)
    return functional.interpolate(crops, size=(side, side), mode="bilinear", align_corners=False)


def decoded_rows(labels: Tensor, classes: int, factor: int) -> Tensor:
    """Order the images of :func:`decode_formation` class by class.

    Args:
        labels: Class of each mosaic, (n,), int64.
        classes: Number of classes.
        factor: Small images in a row, f.

    Returns:
        (f * f * n,), int64; position p stands for crop p // n of mosaic p % n. A class keeps its crops together, in the
        order of :func:`decode_formation`.
    """
    rows = []
    for label in range(classes):
        mosaics = (labels == label).nonzero().flatten()
        rows += [crop * len(labels) + mosaics for crop in range(factor * factor)]
    return torch.cat(rows)
