"""One pass of a network over images: the part that experts and evaluation students share.

Losses and hits are summed on the device where they arise, and read once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ddbench.training.losses import hard_labels

if TYPE_CHECKING:
    from ddbench.augmentation.draw import Augmentation

Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of inputs (B, C, H, W), preprocessed, and labels (B,) or (B, K), on one device."""

Update = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""One update of a network on inputs, as augmented, their labels, and the same inputs as they were before augmentation;
returns the loss () and the logits (B, K) of the augmented inputs before the update, detached."""


def shuffled_batches(n: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The numbers 0..n-1 in random order, in pieces of ``batch`` (the last is shorter), on the generator's device."""
    if n:
        yield from torch.randperm(n, generator=generator, device=generator.device).split(batch)


def joined_last(pieces: Sequence[Tensor]) -> list[Tensor]:
    """The pieces, but a last one of a single item is joined to the one before it, where there is one."""
    if len(pieces) < 2 or len(pieces[-1]) != 1:
        return list(pieces)
    return [*pieces[:-2], torch.cat(tuple(pieces[-2:]))]


def consecutive_batches(n: int, batch: int) -> Iterator[slice]:
    """The numbers 0..n-1 in order, as slices of ``batch`` (the last may be shorter)."""
    return (slice(start, min(start + batch, n)) for start in range(0, n, batch))


def train_epoch(
    update: Update, batches: Batches, augmentation: Augmentation | None, generator: torch.Generator
) -> tuple[float, float]:
    """Update a network on every batch.

    Returns the mean loss and the accuracy, in [0, 1], over the images as seen.

    Args:
        augmentation: Drawn anew for each batch from ``generator``, on whose device the draws arise; None leaves batches
            as they are. Both results are of the network as it was before each update.

    Raises:
        ValueError: There is no batch.
    """
    loss_sum = hits = None
    seen = 0
    for originals, labels in batches:
        inputs = originals
        if augmentation is not None:
            inputs = augmentation.apply(originals, augmentation.draw(len(inputs), inputs.shape[-1], generator))
        loss, logits = update(inputs, labels, originals)
        batch_hits = (logits.argmax(1) == hard_labels(labels)).sum()
        loss_sum = loss * len(inputs) if loss_sum is None else loss_sum + loss * len(inputs)
        hits = batch_hits if hits is None else hits + batch_hits
        seen += len(inputs)
    if loss_sum is None or hits is None:
        raise ValueError("an epoch needs at least one batch")
    return loss_sum.item() / seen, hits.item() / seen


@torch.no_grad()
def top1_accuracy(predict: Callable[[Tensor], Tensor], batches: Batches) -> float:
    """The share of images, in [0, 1], whose largest logit is that of their class.

    Args:
        predict: Inputs (B, C, H, W) to logits (B, K); a module is put in eval mode by its owner, not here.

    Raises:
        ValueError: There is no image.
    """
    hits, seen = None, 0
    for inputs, labels in batches:
        batch_hits = (predict(inputs).argmax(1) == hard_labels(labels)).sum()
        hits = batch_hits if hits is None else hits + batch_hits
        seen += len(inputs)
    if hits is None or seen == 0:
        raise ValueError("accuracy needs at least one image")
    return hits.item() / seen
