"""Batch-norm statistics of a teacher on synthetic images, compared with those of its training."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn


class Sums(NamedTuple):
    """Sums over what enters a layer, less the layer's running mean."""

    numbers: int
    """Numbers that were summed, for each channel of a job."""
    first: Tensor
    """Their sum, (J, channels)."""
    second: Tensor
    """Sum of their squares, (J, channels)."""


Seen = dict[nn.BatchNorm2d, Sums]
"""What each layer saw, in the order in which an image meets them; layers that saw nothing are not there."""


@final
class BatchStatistics:
    """Sums of what the batch-norm layers of a network see while it is entered as a context.

    They are differentiable, and linear in the images' terms, so that what parts of a batch gave adds up.

    Args:
        network: The network.
        jobs: J; every batch is of equal parts, one a job, one after the other.
    """

    def __init__(self, network: nn.Module, jobs: int) -> None:
        self._layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None]
        self._jobs = jobs
        self._seen: Seen = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> BatchStatistics:
        self._handles = [layer.register_forward_pre_hook(self._note) for layer in self._layers]
        return self

    def __exit__(self, *how: object) -> None:
        for handle in self._handles:
            handle.remove()

    def take(self) -> Seen:
        """Take what the layers saw since the last call.

        Returns:
            Sums by layer.
        """
        seen, self._seen = self._seen, {}
        return seen

    def _note(self, layer: nn.Module, entering: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None
        images = entering[0]
        first, second = _Moments.apply(images, layer.running_mean, self._jobs)
        sums = Sums(images[:, 0].numel() // self._jobs, first, second)
        self._seen[layer] = _sum(self._seen[layer], sums) if layer in self._seen else sums


def added(one: Seen, other: Seen) -> Seen:
    """Add up what layers saw in two parts of a batch.

    Args:
        one: Sums by layer; may be empty.
        other: Sums by the same layers.

    Returns:
        Sums by layer.
    """
    return {layer: _sum(one[layer], sums) for layer, sums in other.items()} if one else other


def matching_loss(seen: Seen, first_weight: float) -> Tensor:
    """Measure how far mean and variance of what layers saw are from their running ones.

    For each layer the plain L2 norms over channels of both differences, weighted by ``first_weight`` in the layer that
    an image meets first. The variance is biased.

    Args:
        seen: Sums by layer.
        first_weight: Weight of the first layer; the others have 1.

    Returns:
        (J,).

    Raises:
        ValueError: No layer saw anything.

    Source: Zhang et al. 2024 (INFER, arXiv:2408.06927), released ``ufc_generation``, after Yin et al. 2020
    (arXiv:1912.08795).
    """
    total: list[Tensor] = []
    for layer, (numbers, first, second) in seen.items():
        mean = first / numbers
        variance = second / numbers - mean.square()
        assert layer.running_var is not None
        off = torch.linalg.vector_norm(variance - layer.running_var, dim=1) + torch.linalg.vector_norm(mean, dim=1)
        total.append(off if total else first_weight * off)
    if not total:
        raise ValueError("no batch-norm layer saw anything")
    return torch.stack(total).sum(0)


def _sum(one: Sums, other: Sums) -> Sums:
    return Sums(one.numbers + other.numbers, one.first + other.first, one.second + other.second)


class _Moments(torch.autograd.Function):
    """Sums and sums of squares of images (J * n, C, H, W) about a mean (C,), by job and channel, (J, C) each.

    Keeps no more for the way back than the images, which the layer keeps anyway.
    """

    @staticmethod
    def forward(ctx, images: Tensor, mean: Tensor, jobs: int) -> tuple[Tensor, ...]:
        ctx.save_for_backward(images, mean)
        ctx.jobs = jobs
        away = _away(images, mean)
        by_image = away.sum(2), away.square().sum(2)
        return tuple(sums.unflatten(0, (jobs, -1)).sum(1) for sums in by_image)

    @staticmethod
    def backward(ctx, *cotangents: Tensor) -> tuple[Tensor, None, None]:
        images, mean = ctx.saved_tensors
        each = len(images) // ctx.jobs
        first, second = (share.repeat_interleave(each, 0).unsqueeze(2) for share in cotangents)
        return (_away(images, mean) * (2 * second) + first).view(images.shape), None, None


def _away(images: Tensor, mean: Tensor) -> Tensor:
    """Images (n, C, H, W) less a mean of each channel, (n, C, H * W)."""
    return (images - mean.view(1, -1, 1, 1)).flatten(2)
