"""Batches with the same number of images of each class, drawn anew for every step."""

from __future__ import annotations

import torch
from torch import Tensor


def class_rows(
    classes: Tensor, count: int, generator: torch.Generator, *, at_once: int | None = None, of_each: int | None = None
) -> Tensor | None:
    """Draw a batch: some classes, and of each some images, without replacement.

    Args:
        classes: Class of each image, (n,), int64, on the CPU.
        count: Number of classes, K.
        generator: Source of the draws, on the CPU.
        at_once: Classes of a batch; None, or K and more, for all.
        of_each: Images of each class; None for all. A class that has fewer gives all.

    Returns:
        Rows, rising, int64; None for all images in order, for which nothing is drawn.

    Source: Feng et al. 2024 (RaT-BPTT, arXiv:2311.07025), released ``distill_higher.py``, ``subsample``.
    """
    sizes = torch.bincount(classes, minlength=count)
    some_classes = at_once is not None and at_once < count
    if not some_classes and (of_each is None or of_each >= int(sizes.max())):
        return None
    kept = torch.ones(len(classes), dtype=torch.bool)
    if some_classes:
        kept = torch.isin(classes, torch.randperm(count, generator=generator)[:at_once])
    if of_each is not None:
        # Sorted by class and, within a class, by chance; the first of each class are taken.
        order = (classes + torch.rand(len(classes), generator=generator, dtype=torch.float64)).argsort()
        position = torch.arange(len(classes)) - (sizes.cumsum(0) - sizes)[classes[order]]
        kept[order[position >= of_each]] = False
    return kept.nonzero().flatten()
