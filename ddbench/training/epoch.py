"""Orders of batches, and running means of losses and hits, which are summed on the device where they arise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ddbench.training.losses import hard_labels

Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of inputs (B, C, H, W), preprocessed, and labels (B,) or (B, K), on one device."""


def shuffled_batches(n: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Draw the numbers 0 to n-1 in random order, in batches.

    Args:
        n: Number of items; 0 yields nothing.
        batch: Items of a batch; the last is shorter where they do not divide.
        generator: Source of the order, which takes one permutation from it.

    Yields:
        Numbers of the items, (batch,) int64, on the generator's device.
    """
    if n:
        yield from torch.randperm(n, generator=generator, device=generator.device).split(batch)


def joined_last(pieces: Sequence[Tensor]) -> list[Tensor]:
    """Join a last piece of a single item to the one before it, where there is one.

    Args:
        pieces: Numbers of items, each (n,).

    Returns:
        The pieces, the same tensors but for the last.
    """
    if len(pieces) < 2 or len(pieces[-1]) != 1:
        return list(pieces)
    return [*pieces[:-2], torch.cat(tuple(pieces[-2:]))]


def consecutive_batches(n: int, batch: int) -> Iterator[slice]:
    """Split the numbers 0 to n-1 into batches, in order.

    Args:
        n: Number of items.
        batch: Items of a batch; the last may be shorter.

    Returns:
        Slices of the items.
    """
    return (slice(start, min(start + batch, n)) for start in range(0, n, batch))


class RunningMeans:
    """Mean loss and accuracy over the images of an epoch, of one network or of k; read once from the device."""

    def __init__(self) -> None:
        self._seen, self._losses, self._hits = 0, torch.zeros(()), torch.zeros(())

    def add(self, labels: Tensor, losses: Tensor, logits: Tensor) -> None:
        """Add a batch.

        Args:
            labels: Classes of its images, (B,) or (k, B).
            losses: Mean loss of each network, () or (k,).
            logits: Logits from before the update, (B, K) or (k, B, K).
        """
        images, hits = labels.shape[-1], (logits.argmax(-1) == labels).sum(-1)
        self._losses = self._losses + losses * images if self._seen else losses * images
        self._hits = self._hits + hits if self._seen else hits
        self._seen += images

    def take(self) -> list[tuple[float, float]]:
        """Read the means, and begin anew.

        Returns:
            Mean loss and accuracy, in [0, 1], of each network.

        Raises:
            ValueError: There was no batch.
        """
        if not self._seen:
            raise ValueError("an epoch needs at least one batch")
        seen, self._seen = self._seen, 0
        sums = (torch.atleast_1d(total).tolist() for total in (self._losses, self._hits))
        return [(loss / seen, hits / seen) for loss, hits in zip(*sums, strict=True)]


@torch.no_grad()
def top1_accuracy(predict: Callable[[Tensor], Tensor], batches: Batches) -> float:
    """Measure the share of images whose largest logit is that of their class.

    Args:
        predict: Inputs (B, C, H, W) to logits (B, K); a module is put in eval mode by its owner, not here.
        batches: Pairs of inputs and labels, (B,) classes or (B, K) soft labels, of which the largest counts.

    Returns:
        Accuracy in [0, 1].

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
