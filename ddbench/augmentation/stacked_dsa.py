"""DSA of many batches, each of its own family, as one function of tensors: what a GPU does in a few launches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ddbench.augmentation.draw import Augmentation, Draw
from ddbench.augmentation.dsa import DSAPolicy
from ddbench.runtime.compile import Compiler, missing_requirement

_ROWS = 3
"""As many parameters as the family with the most has, for each image."""

_WHOLE = {"crop": torch.int64, "cutout": torch.int64, "flip": torch.bool}
"""Families whose parameters are no fractions."""

_NUMBER = {"color": 3, "crop": 2, "cutout": 2, "flip": 1, "scale": 2, "rotate": 1}


def packed(draws: Sequence[Draw], families: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Pack draws into two tensors. Whole numbers, of pixels, are exact in float32.

    Args:
        draws: One draw a batch, k in all, each for B images.
        families: Families of the augmentation.

    Returns:
        Each draw's position among the families, (k,), int64, and its parameters, (k, 3, B), float32, zero where it has
        fewer.
    """
    chosen = torch.tensor([families.index(draw.family) for draw in draws])
    parameters = torch.zeros(len(draws), _ROWS, len(draws[0].parameters[0]))
    for rows, draw in zip(parameters, draws, strict=True):
        for row, parameter in zip(rows, draw.parameters, strict=False):
            row.copy_(parameter)
    return chosen, parameters


def apply_packed(dsa: DSAPolicy, images: Tensor, chosen: Tensor, parameters: Tensor) -> Tensor:
    """Augment many batches, each by its own draw: all families are computed, and one is taken.

    Args:
        dsa: The augmentation.
        images: (k, B, C, H, W).
        chosen: Position of each batch's family, (k,), int64.
        parameters: (k, 3, B), float32.

    Returns:
        (k, B, C, H, W).
    """
    every = images.flatten(0, 1)
    family = chosen.repeat_interleave(images.shape[1], output_size=len(every)).view(-1, 1, 1, 1)
    rows = parameters.transpose(0, 1).flatten(1)
    seen = every
    for number, name in enumerate(dsa.families):
        own = tuple(row.to(_WHOLE.get(name, row.dtype)) for row in rows[: _NUMBER[name]])
        seen = torch.where(family == number, dsa.apply(every, Draw(name, own)), seen)
    return seen.unflatten(0, images.shape[:2])


def apply_fused(dsa: DSAPolicy, images: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Augment many batches, each by its own draw, in a few launches.

    Args:
        dsa: The augmentation.
        images: (k, B, C, H, W).
        draws: One a batch.

    Returns:
        (k, B, C, H, W), on the images' device.
    """
    chosen, parameters = packed(draws, dsa.families)
    apply, _ = _fused(dsa, images.device.type)
    return apply(images, chosen.to(images.device), parameters.to(images.device))


def apply_each(augmentation: Augmentation, images: Tensor, draws: Sequence[Draw], *, fused: bool = False) -> Tensor:
    """Images (k, B, C, H, W), those of each network as its draw has them.

    DSA changes every image by itself, so equal families are done in one go; others may look at their whole batch.

    Args:
        fused: Whether all families are done in one compiled function, which computes more and launches less.
    """
    if not isinstance(augmentation, DSAPolicy):
        return torch.stack([augmentation.apply(own, draw) for own, draw in zip(images, draws, strict=True)])
    if fused and not _gave_up(augmentation, images.device.type):
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


def _gave_up(dsa: DSAPolicy, device: str) -> bool:
    """Whether the one function of all families failed to compile: it computes more, and launches no less."""
    _, compiler = _fused(dsa, device)
    return compiler is not None and compiler.failed


@lru_cache(maxsize=8)
def _fused(dsa: DSAPolicy, device: str) -> tuple[Callable[[Tensor, Tensor, Tensor], Tensor], Compiler | None]:
    """:func:`apply_packed`, compiled where that can be; without a graph to replay, whose results would not last."""

    def apply(images: Tensor, chosen: Tensor, parameters: Tensor) -> Tensor:
        return apply_packed(dsa, images, chosen, parameters)

    if missing_requirement(device):
        return apply, None
    compiler = Compiler("augmentation by one function")  # as on the CPU: without a graph
    return compiler(apply), compiler
