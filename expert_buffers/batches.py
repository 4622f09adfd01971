"""Batches of an expert's epoch, and of several experts' at once: real images, augmented, with the cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from ddbench.augmentation.draw import Augmentation
from ddbench.augmentation.stacked_dsa import apply_each
from ddbench.data.loader import ImageLoader
from ddbench.training.epoch import shuffled_batches
from ddbench.training.loop import Batch
from ddbench.training.losses import classification_loss


@dataclass(frozen=True, eq=False)
class ExpertBatch(Batch):
    """Images of one expert, or of k side by side, where (k, ...) stands for each shape, with their cross-entropy."""

    labels: Tensor
    """Classes, (B,) int64."""
    originals: Tensor
    """Images before augmentation, (B, C, H, W)."""


def expert_batch(inputs: Tensor, labels: Tensor, originals: Tensor) -> ExpertBatch:
    """Make a batch whose loss is the cross-entropy, of each expert where there are several.

    Args:
        inputs: Images as augmented, (B, C, H, W) or (k, B, C, H, W).
        labels: Classes, (B,) or (k, B).
        originals: Images before augmentation, of the shape of ``inputs``.

    Returns:
        The batch.
    """
    loss = classification_loss if labels.ndim == 1 else vmap(classification_loss)
    return ExpertBatch(inputs, lambda logits: loss(logits, labels), labels, originals)


def batches_alone(
    loader: ImageLoader,
    batch: int,
    augmentation: Augmentation | None,
    order: torch.Generator,
    draws: torch.Generator,
    rows: Tensor | None = None,
) -> Iterator[ExpertBatch]:
    """Draw an epoch of one expert.

    Args:
        loader: Real images.
        batch: Images in a batch; the last has fewer.
        augmentation: Augmentation, drawn anew for each batch; None for none.
        order: Stream that shuffles.
        draws: Stream that augments, on whose device the draws arise.
        rows: Images of the epoch, (n,), int64; None for all.

    Yields:
        The batches.
    """
    shuffled = shuffled_batches(len(loader) if rows is None else len(rows), batch, order)
    for originals, labels in loader.batches(shuffled if rows is None else (rows[drawn] for drawn in shuffled)):
        inputs = originals
        if augmentation is not None:
            inputs = augmentation.apply(originals, augmentation.draw(len(originals), originals.shape[-1], draws))
        yield expert_batch(inputs, labels, originals)


def batches_together(
    loader: ImageLoader,
    batch: int,
    augmentation: Augmentation | None,
    orders: Sequence[torch.Generator],
    draws: Sequence[torch.Generator],
    rows: Tensor | None = None,
    *,
    fused: bool = False,
) -> Iterator[ExpertBatch]:
    """Draw an epoch of several experts at once, of which each sees what it would see alone.

    Args:
        loader: Real images.
        batch: Images in a batch of each expert.
        augmentation: Augmentation; None for none.
        orders: Streams that shuffle, one an expert.
        draws: Streams that augment, one an expert.
        rows: As in :func:`batches_alone`.
        fused: As in :func:`ddbench.augmentation.stacked_dsa.apply_each`.

    Yields:
        The batches.
    """
    count = len(loader) if rows is None else len(rows)
    shuffled = torch.stack([torch.randperm(count, generator=order, device=order.device) for order in orders])
    pieces = (shuffled if rows is None else rows[shuffled]).to(loader.labels.device).split(batch, dim=1)
    for piece, (images, labels) in zip(pieces, loader.batches(piece.flatten() for piece in pieces), strict=True):
        originals = inputs = images.unflatten(0, piece.shape)
        if augmentation is not None:
            drawn = [augmentation.draw(originals.shape[1], originals.shape[-1], one) for one in draws]
            inputs = apply_each(augmentation, originals, drawn, fused=fused)
        yield expert_batch(inputs, labels.view(piece.shape), originals)
