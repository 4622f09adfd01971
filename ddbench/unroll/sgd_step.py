"""The student: a network that takes SGD steps on synthetic batches, as a pure function that an unroll can replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.unroll.unroll import Outer

InnerLoss = Callable[[Tensor, Outer, int], Tensor]
"""``loss(theta (P,), outer, t) -> scalar`` of the student's batch at step t; ``outer`` without the learning rate."""


@dataclass(frozen=True)
class BatchLoss:
    """An inner loss in two parts: what the student sees at a step, and how wrong it is there."""

    seen: Callable[[Outer, int], tuple[Tensor, ...]]
    """``seen(outer, t)``, the tensors of the batch, such as images and labels, as augmented."""
    of: Callable[..., Tensor]
    """``of(theta, *seen) -> scalar``, one and the same function of tensors at every step, so that it can be
    compiled."""
    scale: float = 1.0
    """A factor."""

    def __call__(self, theta: Tensor, outer: Outer, t: int) -> Tensor:
        return self.scale * self.of(theta, *self.seen(outer, t))


@dataclass(frozen=True)
class SGDStep:
    """One step of SGD with heavy-ball momentum:

    ``v <- momentum * v + g; theta <- theta - lr * v``.

    Source: torch.optim.SGD with dampening 0.
    """

    loss: InnerLoss
    """The inner loss. The last entry of ``outer`` is the learning rate, a scalar tensor. The state is ``theta (P,)``
    without momentum, else ``(2, P)``: theta and velocity."""
    momentum: float = 0.0
    """Heavy-ball momentum, in [0, 1)."""

    def start(self, theta: Tensor) -> Tensor:
        """Make the state of a student at rest.

        Args:
            theta: Parameters, (P,).

        Returns:
            (P,), or (2, P) with momentum: theta and a velocity of zero.
        """
        return theta if self.momentum == 0 else torch.stack([theta, torch.zeros_like(theta)])

    def parameters(self, states: Tensor) -> Tensor:
        """Take the parameters out of states.

        Args:
            states: States of an unroll, (N + 1, P), or (N + 1, 2, P) with momentum.

        Returns:
            (N + 1, P).
        """
        return states if self.momentum == 0 else states[:, 0]

    @torch.no_grad()
    def walk(self, theta: Tensor, outer: Outer, steps: int) -> Iterator[Tensor]:
        """Take steps without a gradient, one each time that the next is asked for.

        Args:
            theta: Parameters at the start, (P,).
            outer: What the steps use; the learning rate is last.
            steps: Number of steps, N.

        Yields:
            Parameters after steps 1, ..., N, (P,).
        """
        state = self.start(theta)
        for t in range(steps):
            state = self(state, outer, t)
            yield state if self.momentum == 0 else state[0]

    def __call__(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        theta = state if self.momentum == 0 else state[0]
        return self._move(state, gradient(self.loss, theta, outer[:-1], t), outer[-1])

    def first_order(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        """Take the same step with the inner gradient taken for a constant of the state.

        Args:
            state: (P,), or (2, P) with momentum.
            outer: What the step uses; the learning rate is last.
            t: Number of the step, from 0.

        Returns:
            The next state, equal to that of a plain call, shaped as ``state``.

        Source: Cui et al. 2023 (TESLA, arXiv:2211.10586).
        """
        theta = (state if self.momentum == 0 else state[0]).detach()
        return self._move(state, gradient(self.loss, theta, outer[:-1], t), outer[-1])

    def _move(self, state: Tensor, g: Tensor, lr: Tensor) -> Tensor:
        if self.momentum == 0:
            return state - lr * g
        velocity = self.momentum * state[1] + g
        return torch.stack([state[0] - lr * velocity, velocity])


def gradient(loss: InnerLoss, theta: Tensor, outer: Outer, t: int) -> Tensor:
    """Differentiate the inner loss by theta.

    Plain autograd, not ``torch.func``: on the CPU in eager mode it is up to twice as fast for small networks.

    Args:
        loss: The inner loss.
        theta: Parameters, (P,).
        outer: What the loss uses, without the learning rate.
        t: Number of the step, from 0.

    Returns:
        (P,); itself differentiable by what of theta and outer requires a gradient.
    """
    differentiable = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (theta, *outer))
    with torch.enable_grad():
        leaf = theta if theta.requires_grad and differentiable else theta.detach().requires_grad_()
        (g,) = torch.autograd.grad(loss(leaf, outer, t), leaf, create_graph=differentiable)
    return g


def batch_order(images: int, batch: int | None, steps: int, generator: torch.Generator) -> Sequence[Tensor | None]:
    """Draw the images that each inner step sees.

    The images are shuffled and cut into batches; a shuffle is used up before the next, its short remainder first.

    Args:
        images: Number of images, S.
        batch: Images per step; None, or S and more, for all of them.
        steps: Inner steps, N.
        generator: Source of the shuffles; the tensors are on its device.

    Returns:
        One entry a step: row numbers (batch,), int64, or None for all images in order, which has no effect on the loss.

    Source: MTT's released code, whose order (chunks taken from the end) is kept.
    """
    if batch is None or batch >= images:
        return [None] * steps
    order: list[Tensor] = []
    while len(order) < steps:
        chunks = torch.randperm(images, generator=generator, device=generator.device).split(batch)
        order.extend(reversed(chunks))
    return order[:steps]
