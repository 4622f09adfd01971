"""Training loop of every network: epochs of steps on batches, of one network or of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ddbench.training.model_stack import Trainable

Criterion = Callable[[Tensor], Tensor]
"""Logits (B, K) of a batch to its loss, (); of k networks, logits (k, B, K) to the loss of each, (k,), or their sum."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs, and the loss of their logits."""

    inputs: Tensor
    """Images as augmented, (B, C, H, W); of k networks (k, B, C, H, W)."""
    criterion: Criterion
    """Loss of their logits."""


B = TypeVar("B", bound=Batch)

Step = Callable[["ScheduledOptimizer[B]", B], tuple[Tensor, Tensor]]
"""An update of the parameters on a batch; returns its loss, as the criterion has it, and the logits (B, K), or
(k, B, K), both from before the update and detached."""


def gradient_step(training: ScheduledOptimizer[B], batch: B) -> tuple[Tensor, Tensor]:
    """Step along the gradient of the loss; see ``Step``.

    Args:
        training: Networks in training and their optimizer.
        batch: Inputs and the loss of their logits.

    Returns:
        Loss and logits from before the update, detached.
    """
    training.optimizer.zero_grad(set_to_none=True)
    logits = training.trainable.logits(batch.inputs)
    losses = batch.criterion(logits)
    losses.backward(torch.ones_like(losses))
    training.optimizer.step()
    return losses.detach(), logits.detach()


class ScheduledOptimizer(Generic[B]):
    """An optimizer, its learning rate by epoch, and the step that it takes on a batch.

    Args:
        trainable: Network, or stack of networks, that is trained.
        optimizer: Optimizer of its parameters.
        rate: Learning rate of an epoch, counted from 0.
        restart: Epoch that begins with an optimizer that remembers nothing; None for none.
        step: Update on a batch.
    """

    def __init__(
        self,
        trainable: Trainable,
        optimizer: torch.optim.Optimizer,
        rate: Callable[[int], float],
        *,
        restart: int | None = None,
        step: Step[B] = gradient_step,
    ) -> None:
        self.trainable, self.optimizer, self.rate = trainable, optimizer, rate
        self.epoch = 0
        """Epoch that began last."""
        self._restart, self._step = restart, step

    def begin_epoch(self, epoch: int) -> None:
        """Set the rate of an epoch before its first batch.

        Args:
            epoch: Number of the epoch, counted from 0; that of ``restart`` forgets the optimizer's state.
        """
        self.epoch = epoch
        if epoch == self._restart:
            self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(epoch)

    def update(self, batch: B) -> tuple[Tensor, Tensor]:
        """Change the parameters by one batch; see ``Step``.

        Args:
            batch: Inputs and the loss of their logits.

        Returns:
            Loss and logits from before the update, detached.
        """
        return self._step(self, batch)


def train_epochs(
    optimizer: ScheduledOptimizer[B],
    batches: Callable[[int], Iterable[B]],
    epochs: Iterable[int],
    *,
    steps: int | None = None,
    observe: Callable[[B, Tensor, Tensor], object] | None = None,
) -> Iterator[int]:
    """Train, epoch by epoch. Nothing here waits for the device.

    Args:
        optimizer: What is trained, and how.
        batches: The batches of an epoch, as augmented.
        epochs: Numbers of the epochs, counted from 0, in order.
        steps: Updates after which it stops, within an epoch too; None for those of all epochs.
        observe: Called with every batch, its loss and its logits; see ``Step``.

    Yields:
        The number of each epoch that is done.
    """
    done = 0
    for epoch in epochs:
        optimizer.begin_epoch(epoch)
        for batch in batches(epoch):
            if done == steps:
                return
            losses, logits = optimizer.update(batch)
            if observe is not None:
                observe(batch, losses, logits)
            done += 1
        yield epoch
