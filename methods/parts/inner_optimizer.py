"""Optimizers of the student, as a recipe names them."""

from __future__ import annotations

import abc
from typing import Literal

from torch import Tensor

from ddbench.recipe.settings import NotNegative, Part, Positive, Share
from ddbench.unroll.adam_step import AdamStep
from ddbench.unroll.compiled_adam_step import FastAdamStep
from ddbench.unroll.compiled_step import FastStep, Kernel
from ddbench.unroll.sgd_step import BatchLoss, SGDStep
from ddbench.unroll.unroll import Outer


class InnerOptimizer(Part, abc.ABC):
    """An optimizer of the student."""

    lr: Positive
    """Learning rate."""

    @property
    @abc.abstractmethod
    def vectors(self) -> int:
        """Vectors of the size of the parameters in the student's state."""

    @abc.abstractmethod
    def step(self, loss: BatchLoss, kernel: Kernel | None) -> AdamStep | SGDStep:
        """Make the student's step.

        Args:
            loss: The student's loss at each step.
            kernel: Its compiled gradient; None for plain autograd.

        Returns:
            The step, whose learning rate is the last entry of outer.
        """


class InnerAdam(InnerOptimizer):
    """Adam without weight decay."""

    kind: Literal["adam"] = "adam"
    lr: Positive = 1e-3
    """Learning rate."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Decay of the averages of gradients and of their squares."""
    eps: Positive = 1e-8
    """Added to the root of the average of squares."""

    @property
    def vectors(self) -> int:
        return 3

    def step(self, loss: BatchLoss, kernel: Kernel | None) -> AdamStep:
        if kernel is None:
            return AdamStep(loss, self.betas, self.eps)
        return FastAdamStep(loss, self.betas, self.eps, kernel=kernel)


class InnerSGD(InnerOptimizer):
    """SGD with heavy-ball momentum and weight decay."""

    kind: Literal["sgd"] = "sgd"
    lr: Positive = 0.01
    """Learning rate."""
    momentum: Share = 0.9
    """Heavy-ball momentum."""
    weight_decay: NotNegative = 5e-4
    """Weight decay, added to the gradient."""

    @property
    def vectors(self) -> int:
        return 2 if self.momentum else 1

    def step(self, loss: BatchLoss, kernel: Kernel | None) -> SGDStep:
        """Make the step; one with weight decay is not compiled. Arguments as of :meth:`InnerOptimizer.step`."""
        if not self.weight_decay:
            return SGDStep(loss, self.momentum) if kernel is None else FastStep(loss, self.momentum, kernel=kernel)

        def decayed(theta: Tensor, outer: Outer, t: int) -> Tensor:
            return loss(theta, outer, t) + self.weight_decay / 2 * theta.square().sum()

        return SGDStep(decayed, self.momentum)
