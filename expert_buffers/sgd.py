"""Experts by plain SGD, and what all kinds of experts have of it: the learning rate by epoch and the velocity."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Generic, TypeVar, final

import torch
from torch import Tensor, nn

from ddbench.expert_buffers.trajectory import flat, unflatten_into
from ddbench.expert_recipe import ExpertRecipe, SgdExperts
from ddbench.settings import Part
from ddbench.training import gradient_update

S = TypeVar("S", bound=Part)


class SgdBased(abc.ABC, Generic[S]):
    """SGD with the recipe's momentum and weight decay. Subclasses say along which gradient it steps.

    network, settings: of this expert. epoch: that which began last, counted from 0. After ``lr_drop_epoch`` epochs the
    rate is multiplied by ``lr_drop_factor`` and the optimizer begins anew, without its velocity, as in MTT's released
    ``buffer.py``. Meets ``optimizers.ExpertOptimizer``.
    """

    def __init__(self, network: nn.Module, recipe: ExpertRecipe, settings: S) -> None:
        self.network, self.settings, self.epoch = network, settings, 0
        self.parameters = list(network.parameters())
        self.optimizer = torch.optim.SGD(
            self.parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        self._recipe = recipe

    @abc.abstractmethod
    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        """Change the network by one batch; returns loss () and logits (B, K), detached. See ``training.Update``."""

    def learning_rate(self, epoch: int) -> float:
        drop = self._recipe.lr_drop_epoch
        return self._recipe.lr * (self._recipe.lr_drop_factor if drop is not None and epoch >= drop else 1.0)

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        if epoch == self._recipe.lr_drop_epoch:
            self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)

    def state(self) -> dict[str, Tensor]:
        found = [self.optimizer.state[p].get("momentum_buffer") for p in self.parameters]
        if all(velocity is None for velocity in found):
            return {}
        pairs = zip(found, self.parameters, strict=True)
        return {"velocity": flat(torch.zeros_like(p) if velocity is None else velocity for velocity, p in pairs)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.optimizer.state.clear()
        if "velocity" in state:
            velocity = [torch.empty_like(p, requires_grad=False) for p in self.parameters]
            unflatten_into(state["velocity"], velocity)
            for parameter, buffer in zip(self.parameters, velocity, strict=True):
                self.optimizer.state[parameter]["momentum_buffer"] = buffer


@final
class Sgd(SgdBased[SgdExperts]):
    """Along the gradient of the cross-entropy: the experts of MTT, TESLA and others.

    Source: Cazenavette et al. 2022 (arXiv:2203.11932), released ``buffer.py``. Differs: none.
    """

    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        return gradient_update(self.network, self.optimizer)(inputs, labels, originals)
