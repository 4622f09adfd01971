"""Experts by plain SGD, and what all kinds of experts have of it: the learning rate by epoch and the velocity."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Generic, TypeVar, final

import torch
from torch import Tensor

from ddbench.expert_buffers.trajectory import flat, unflatten_into
from ddbench.recipe.experts import ExpertRecipe, SgdExperts
from ddbench.recipe.settings import Part
from ddbench.training.losses import classification_loss
from ddbench.training.model_stack import Trainable

S = TypeVar("S", bound=Part)


class SgdBased(abc.ABC, Generic[S]):
    """SGD with the recipe's momentum and weight decay. Subclasses say along which gradient it steps.

    trainee, settings: of this expert, or of several at once. epoch: that which began last, counted from 0. After
    ``lr_drop_epoch`` epochs the rate is multiplied by ``lr_drop_factor`` and the optimizer begins anew, without its
    velocity, as in MTT's released ``buffer.py``. Meets ``optimizers.ExpertOptimizer``.
    """

    def __init__(self, trainable: Trainable, recipe: ExpertRecipe, settings: S) -> None:
        self.trainable, self.settings, self.epoch = trainable, settings, 0
        self.parameters = list(trainable.parameters.values())
        self.optimizer = torch.optim.SGD(
            self.parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        self._recipe = recipe

    @abc.abstractmethod
    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        """Change the network by one batch; returns loss () and logits (B, K), detached. See ``training.Update``."""

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of a batch: (), or (k,) of several networks."""
        return self.trainable.each(classification_loss)(logits, labels)

    def learning_rate(self, epoch: int) -> float:
        drop = self._recipe.lr_drop_epoch
        return self._recipe.lr * (self._recipe.lr_drop_factor if drop is not None and epoch >= drop else 1.0)

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        if epoch == self._recipe.lr_drop_epoch:
            self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)

    def state(self, member: int | None = None) -> dict[str, Tensor]:
        found = [self.optimizer.state[p].get("momentum_buffer") for p in self.parameters]
        if all(velocity is None for velocity in found):
            return {}
        whole = (torch.zeros_like(p) if v is None else v for v, p in zip(found, self.parameters, strict=True))
        return {"velocity": flat(velocity if member is None else velocity[member] for velocity in whole)}

    def restore(self, state: Mapping[str, Tensor], member: int | None = None) -> None:
        if member is None:
            self.optimizer.state.clear()
        if "velocity" in state:
            velocity = [self._velocity(p) for p in self.parameters]
            unflatten_into(state["velocity"], velocity if member is None else [v[member] for v in velocity])

    def _velocity(self, parameter: Tensor) -> Tensor:
        """The live buffer; zero where there was none, which is as good."""
        state = self.optimizer.state[parameter]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)
        return state["momentum_buffer"]


@final
class Sgd(SgdBased[SgdExperts]):
    """Along the gradient of the cross-entropy: the experts of MTT, TESLA and others.

    Source: Cazenavette et al. 2022 (arXiv:2203.11932), released ``buffer.py``. Differs: none.
    """

    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        del originals
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.trainable.logits(inputs)
        losses = self.losses(logits, labels)
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach(), logits.detach()
