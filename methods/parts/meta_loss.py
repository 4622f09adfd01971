"""The loss of a student on a real batch, and its gradient by the parameters, with a part of the batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PartLoss = Callable[[Tensor, slice], Tensor]
"""``loss(theta (P,), rows)``: what these rows of the batch contribute to the mean over it, a scalar."""


def summed_in_parts(loss: PartLoss, theta: Tensor, parts: Sequence[slice]) -> Tensor:
    """Sum the contributions of the parts of a batch, the graph of one part in memory at a time.

    Args:
        loss: Contribution of some rows; a pure function.
        theta: Parameters, (P,).
        parts: Rows of each part.

    Returns:
        The sum, a scalar, differentiable by theta; once, where there are several parts.
    """
    return loss(theta, parts[0]) if len(parts) == 1 else _PartedSum.apply(loss, parts, theta)  # type: ignore[no-any-return]


class _PartedSum(torch.autograd.Function):
    """Forward: the sum and, while a part's graph lies there, its gradient. Backward: that gradient."""

    @staticmethod
    def forward(ctx: Any, loss: PartLoss, parts: Sequence[slice], theta: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[2]
        total, gradient = theta.new_zeros(()), torch.zeros_like(theta) if wanted else None
        for rows in parts:
            leaf = theta.detach().requires_grad_(wanted)
            with torch.set_grad_enabled(wanted):
                value = loss(leaf, rows)
            if gradient is not None:
                gradient += torch.autograd.grad(value, leaf)[0]
            total = total + value.detach()
        ctx.gradient = gradient
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, None, None if ctx.gradient is None else cotangents[0] * ctx.gradient
