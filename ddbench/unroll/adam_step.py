"""The student's step by Adam, as a pure function that an unroll can replay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.unroll.sgd_step import InnerLoss, gradient
from ddbench.unroll.unroll import Outer


@dataclass(frozen=True)
class AdamStep:
    """One step of Adam without weight decay, the step number being that of the unroll.

    An unroll that is cut in the middle goes on with the averages and the step number that the student has there, which
    are constants of the gradient. Where the average of squares is exactly 0, as of a unit that never fires, its root
    counts for a constant: its derivative there is infinite.

    Source: torch.optim.Adam; the masked root is that of ``higher``'s differentiable Adam, which Feng et al. 2024
    (RaT-BPTT) use. Differs from the latter: eps is added to the root after its correction for the step number.
    """

    loss: InnerLoss
    """The inner loss. The last entry of ``outer`` is the learning rate, a scalar tensor. The state is ``(3, P)``:
    theta, the average of gradients, and that of their squares."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the averages of gradients and of their squares."""
    eps: float = 1e-8
    """Added to the root of the average of squares."""

    def start(self, theta: Tensor) -> Tensor:
        """Make the state of a student that has not moved.

        Args:
            theta: Parameters, (P,).

        Returns:
            (3, P): theta, and averages of zero.
        """
        return torch.stack([theta, torch.zeros_like(theta), torch.zeros_like(theta)])

    def parameters(self, states: Tensor) -> Tensor:
        """Take the parameters out of states.

        Args:
            states: States of an unroll, (N + 1, 3, P).

        Returns:
            (N + 1, P).
        """
        return states[:, 0]

    def __call__(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        return self._move(state, gradient(self.loss, state[0], outer[:-1], t), outer[-1], t)

    def first_order(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        """Take the same step with the inner gradient taken for a constant of the state.

        Args:
            state: (3, P).
            outer: What the step uses; the learning rate is last.
            t: Number of the step, from 0.

        Returns:
            The next state, equal to that of a plain call, (3, P).
        """
        return self._move(state, gradient(self.loss, state[0].detach(), outer[:-1], t), outer[-1], t)

    def _move(self, state: Tensor, g: Tensor, lr: Tensor, t: int) -> Tensor:
        theta, mean, square = state.unbind()
        first, second = self.betas
        mean = first * mean + (1 - first) * g
        square = second * square + (1 - second) * g.square()
        seen = square > 0
        # Masked before the root is taken: a mask after it would meet 0 * inf on the way back.
        root = square.where(seen, 1).sqrt().where(seen, 0)
        scale = (1 - second ** (t + 1)) ** 0.5
        way = mean / (1 - first ** (t + 1)) / (root / scale + self.eps)
        return torch.stack([theta - lr * way, mean, square])
