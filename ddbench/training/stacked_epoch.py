"""One pass of several networks over images, each in its own order and with its own augmentation.

As in ``ddbench.training.epoch``, losses and hits are read once an epoch, and every network gets what it would get
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ddbench.augmentation.draw import Augmentation, Draw
from ddbench.augmentation.dsa import DSAPolicy
from ddbench.augmentation.stacked_dsa import apply_fused
from ddbench.data.loader import ImageLoader
from ddbench.training.epoch import Update


def batches_together(
    loader: ImageLoader, batch: int, orders: Sequence[torch.Generator]
) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches of k networks: inputs (k, B, C, H, W) and labels (k, B).

    Args:
        orders: Shuffle, one a network.
    """
    shuffled = [torch.randperm(len(loader), generator=order, device=order.device) for order in orders]
    pieces = torch.stack(shuffled).to(loader.labels.device).split(batch, dim=1)
    for rows, (inputs, labels) in zip(pieces, loader.batches(rows.flatten() for rows in pieces), strict=True):
        yield inputs.unflatten(0, rows.shape), labels.view(rows.shape)


def train_epoch_together(
    update: Update,
    batches: Iterable[tuple[Tensor, Tensor]],
    augmentation: Augmentation | None,
    generators: Sequence[torch.Generator],
    *,
    fused: bool = False,
) -> list[tuple[float, float]]:
    """As ``ddbench.training.epoch.train_epoch``, of k networks at once: each one's mean loss and accuracy.

    Args:
        batches: Inputs (k, B, C, H, W) and hard labels (k, B).
        generators: Augment, one a network.
        fused: As in :func:`apply_each`.

    Raises:
        ValueError: There is no batch.
    """
    loss_sum = hits = None
    seen = 0
    for originals, labels in batches:
        inputs = originals
        if augmentation is not None:
            shape = (originals.shape[1], originals.shape[-1])
            draws = [augmentation.draw(*shape, one) for one in generators]
            inputs = apply_each(augmentation, originals, draws, fused=fused)
        losses, logits = update(inputs, labels, originals)
        batch_hits = (logits.argmax(-1) == labels).sum(-1)
        loss_sum = losses * labels.shape[1] if loss_sum is None else loss_sum + losses * labels.shape[1]
        hits = batch_hits if hits is None else hits + batch_hits
        seen += labels.shape[1]
    if loss_sum is None or hits is None:
        raise ValueError("an epoch needs at least one batch")
    return [(loss / seen, count / seen) for loss, count in zip(loss_sum.tolist(), hits.tolist(), strict=True)]


def apply_each(augmentation: Augmentation, images: Tensor, draws: Sequence[Draw], *, fused: bool = False) -> Tensor:
    """Images (k, B, C, H, W), those of each network as its draw has them.

    DSA changes every image by itself, so equal families are done in one go; others may look at their whole batch.

    Args:
        fused: Whether all families are done in one compiled function, which computes more and launches less.
    """
    if not isinstance(augmentation, DSAPolicy):
        return torch.stack([augmentation.apply(own, draw) for own, draw in zip(images, draws, strict=True)])
    if fused:
        return apply_fused(augmentation, images, draws)
    members: dict[str, list[int]] = {}
    for number, draw in enumerate(draws):
        members.setdefault(draw.family, []).append(number)
    seen: dict[int, Tensor] = {}
    for family, numbers in members.items():
        parts = zip(*(draws[number].parameters for number in numbers), strict=True)
        together = Draw(family, tuple(torch.cat(part) for part in parts))
        augmented = augmentation.apply(torch.cat([images[number] for number in numbers]), together)
        seen |= dict(zip(numbers, augmented.chunk(len(numbers)), strict=True))
    return torch.stack([seen[number] for number in range(len(draws))])
