"""The student's step by Adam with its gradient compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from ddbench.unroll.adam_step import AdamStep
from ddbench.unroll.compiled_step import Kernel, through
from ddbench.unroll.sgd_step import BatchLoss
from ddbench.unroll.unroll import Outer


@final
@dataclass(frozen=True)
class FastAdamStep(AdamStep):
    """:class:`AdamStep` that an unroll walks back through :meth:`pull_back`, without the student's autograd graph.

    What a step does with a gradient depends on that gradient, so on the way back it is computed once more, before it is
    differentiated.
    """

    loss: BatchLoss  # pyright: ignore[reportIncompatibleMethodOverride]  # a field, which only looks like a method
    kernel: Kernel = field(kw_only=True)
    """Of the loss's ``of``. Called where something requires a gradient it is plain autograd, as the full unroll needs
    it."""

    def __call__(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (state, *outer)):
            return super().__call__(state, outer, t)
        g = self.kernel(state[0], self.loss.seen(outer[:-1], t))
        return self._move(state, self.loss.scale * g, outer[-1], t)

    def pull_back(
        self,
        state: Tensor,
        outer: Outer,
        t: int,
        cotangent: Tensor,
        wanted: Sequence[bool],
        *,
        first_order: bool = False,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Turn a cotangent of the state after the step into those of the state before it and of outer.

        Args:
            state: State before the step, (3, P).
            outer: What the step uses; the learning rate is last.
            t: Number of the step, from 0.
            cotangent: Cotangent of the state after the step, (3, P).
            wanted: For each of outer, whether its share is wanted.
            first_order: Whether the inner gradient is taken for a constant of the state (TESLA).

        Returns:
            The cotangent of the state before the step, and the share of each of outer; None for those that are not
            wanted.
        """
        with torch.enable_grad():
            leaves = [o.detach().requires_grad_(w) for o, w in zip(outer[:-1], wanted[:-1], strict=True)]
            seen = self.loss.seen(tuple(leaves), t)
        batch = tuple(tensor.detach() for tensor in seen)
        g = (self.loss.scale * self.kernel(state[0], batch)).requires_grad_()
        start, lr = state.detach().requires_grad_(), outer[-1].detach().requires_grad_()
        with torch.enable_grad():
            moved = self._move(start, g, lr, t)
        before, by_g, by_lr = torch.autograd.grad(moved, [start, g, lr], cotangent)
        by = (not first_order, *(tensor.requires_grad for tensor in seen))
        _, (by_theta, *by_seen) = self.kernel.pull_back(state[0], batch, self.loss.scale * by_g, by)
        if by_theta is not None:
            before = torch.cat([(before[0] + by_theta)[None], before[1:]])
        return before, [*through(seen, by_seen, leaves), by_lr if wanted[-1] else None]
