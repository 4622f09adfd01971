"""Optimizers of the outer loop, as values: how each part of a synthetic set moves along its gradient."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from math import inf
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, tensor

from ddbench.recipe.settings import NotNegative, Positive, Settings, Share

State = Mapping[str, Tensor]
"""What an optimizer remembers of earlier steps, by name; empty before the first. No step writes into these tensors."""


class EmaClip(Settings):
    """A bound on the norm of a gradient that follows the norms seen so far.

    Source: Feng et al. 2024 (RaT-BPTT, arXiv:2311.07025), released code. Differs: none.
    """

    factor: Positive = 2.0
    """The bound, in units of the average norm."""
    decay: Share = 0.9
    """d of the average, ``average <- d * average + (1 - d) * norm``, which begins as the first norm."""

    def clipped(self, gradient: Tensor, average: Tensor | None) -> tuple[Tensor, Tensor]:
        """Scale a gradient down to the bound, to which its own norm has already contributed.

        Args:
            gradient: Of any shape.
            average: Average norm after the step before, a scalar; None before the first step.

        Returns:
            The gradient, and the average with this norm in it.
        """
        norm = gradient.norm()
        average = norm if average is None else average - (1 - self.decay) * (average - norm)
        return gradient * (self.factor * average / (norm + 1e-6)).clamp(max=1), average


class Clamp(Settings):
    """Bounds of the values of a part: of labels that are probabilities, or of pixels."""

    low: float | tuple[float, ...] | None = None
    """Smallest value; one for each channel where it is a tuple. None: no bound."""
    high: float | tuple[float, ...] | None = None
    """Largest value; one for each channel where it is a tuple. None: no bound."""

    def __call__(self, values: Tensor) -> Tensor:
        """Put what lies outside on the bound.

        Args:
            values: Labels (S, K), or images (S, C, H, W).

        Returns:
            The same, clamped.
        """
        return values.clamp(_bound(self.low, -inf, values), _bound(self.high, inf, values))


def _bound(bound: float | tuple[float, ...] | None, unbounded: float, values: Tensor) -> Tensor:
    by_channel = values.new_tensor(unbounded if bound is None else bound)
    return by_channel.view(-1, *[1] * (values.ndim - 2)) if by_channel.ndim else by_channel


class OuterOptimizer(Settings, abc.ABC):
    """The optimizer of one part of a synthetic set.

    It is a pure function of values, gradient and state. The state is all in tensors, which the engine writes to its
    checkpoints, and puts back where it takes a step back.
    """

    STATE: ClassVar[tuple[str, ...]] = ()
    """Names of what it remembers."""

    lr: Positive
    """Learning rate."""
    clip: EmaClip | None = None
    """Bound on the norm of the part's gradient; None: none."""
    project: Clamp | None = None
    """Bounds of the part's values, held after every step; None: none."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of all that is remembered, by the clip as well."""
        return self.STATE if self.clip is None else (*self.STATE, "clip_norm")

    def step(self, values: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step: clip, move, project.

        Args:
            values: The part, without history.
            gradient: Of the outer loss by the part.
            state: What the step before returned; empty before the first.

        Returns:
            The moved part and the new state, in new tensors.
        """
        norms: dict[str, Tensor] = {}
        if self.clip is not None:
            gradient, norms["clip_norm"] = self.clip.clipped(gradient, state.get("clip_norm"))
        moved, own = self.move(values, gradient, state)
        return moved if self.project is None else self.project(moved), {**own, **norms}

    @abc.abstractmethod
    def move(self, values: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step without clip and projection.

        Args:
            values: The part, without history.
            gradient: Gradient of the outer loss by the part.
            state: Tensors that the step before returned; empty before the first.

        Returns:
            The moved part and the new state, in new tensors.
        """


class SGD(OuterOptimizer):
    """Stochastic gradient descent with heavy-ball momentum, to the bit that of torch."""

    STATE: ClassVar[tuple[str, ...]] = ("velocity",)

    momentum: Share = 0.5
    """Heavy-ball momentum."""

    def move(self, values: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        if self.momentum == 0:
            return values.add(gradient, alpha=-self.lr), {}
        velocity = state["velocity"].mul(self.momentum).add_(gradient) if state else gradient.clone()
        return values.add(velocity, alpha=-self.lr), {"velocity": velocity}


class Adam(OuterOptimizer):
    """Adam, as torch has it, without weight decay."""

    STATE: ClassVar[tuple[str, ...]] = ("steps", "exp_avg", "exp_avg_sq")

    betas: tuple[Share, Share] = (0.9, 0.999)
    """Decay of the averages of gradients and of their squares."""
    eps: Positive = 1e-8
    """Added to the root of the average of squares."""

    def move(self, values: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        (first, second), steps = self.betas, 1 + (int(state["steps"]) if state else 0)
        mean = (state["exp_avg"] if state else gradient.new_zeros(gradient.shape)).lerp(gradient, 1 - first)
        square = state["exp_avg_sq"] if state else gradient.new_zeros(gradient.shape)
        square = square.mul(second).addcmul_(gradient, gradient, value=1 - second)
        root = square.sqrt().div_((1 - second**steps) ** 0.5).add_(self.eps)
        moved = values.addcdiv(mean, root, value=-self.lr / (1 - first**steps))
        return moved, {"steps": tensor(steps), "exp_avg": mean, "exp_avg_sq": square}


class AdamW(Adam):
    """Adam with decoupled weight decay, as torch has it."""

    weight_decay: Annotated[NotNegative, Field(lt=1)] = 0.01
    """Decay a step, in units of the learning rate."""

    def move(self, values: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        return super().move(values * (1 - self.lr * self.weight_decay), gradient, state)
