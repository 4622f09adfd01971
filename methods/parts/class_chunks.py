"""Sums over classes, a few classes at a time: exact, with the graph of one group in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ClassesLoss = Callable[[Tensor, Sequence[int]], Tensor]
"""``loss(images (k, ipc, C, H, W), labels)``: the sum over k classes, a scalar."""


def summed_over_classes(loss: ClassesLoss, images: Tensor, labels: Sequence[int], at_once: int) -> Tensor:
    """Sum a loss over classes, group by group.

    Args:
        loss: Sum over the classes of a group; a pure function.
        images: Images of each class, (classes, ipc, C, H, W).
        labels: The classes.
        at_once: Classes of a group.

    Returns:
        The sum over all, differentiable by the images, once where there are several groups.
    """
    if at_once >= len(labels):
        return loss(images, labels)
    return _GroupedSum.apply(loss, labels, at_once, images)  # type: ignore[no-any-return]


class _GroupedSum(torch.autograd.Function):
    """Forward: the sum and, while a group's graph lies there, its derivative. Backward: that derivative."""

    @staticmethod
    def forward(ctx: Any, loss: ClassesLoss, labels: Sequence[int], at_once: int, images: Tensor) -> Tensor:
        total, wanted = images.new_zeros(()), ctx.needs_input_grad[3]
        derivative = torch.empty_like(images) if wanted else None
        for first in range(0, len(labels), at_once):
            group = slice(first, first + at_once)
            part = images[group].detach().requires_grad_(wanted)
            with torch.set_grad_enabled(wanted):
                value = loss(part, labels[group])
            if derivative is not None:
                (derivative[group],) = torch.autograd.grad(value, part)
            total = total + value.detach()
        ctx.derivative = derivative
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, None, None, None if ctx.derivative is None else cotangents[0] * ctx.derivative
