"""How an expert is updated: one small class each, chosen by ``experts.optimizer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ddbench.expert_buffers.trajectory import flat, unflatten_into
from ddbench.expert_recipe import ExpertRecipe
from ddbench.training import gradient_update


class ExpertOptimizer(Protocol):
    """Owns one update on one batch, and the learning rate by epoch, of one expert.

    Built from the network and the recipe. Its state at an epoch's end, with the network's parameters, must be all that
    the rest of the training depends on: an interrupted expert continues from it to the same bits.
    """

    def learning_rate(self, epoch: int) -> float:
        """In the given epoch, counted from 0."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch's first batch, also after :meth:`restore`."""
        ...

    def update(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Change the network by one batch; returns loss () and logits (B, K), detached. See ``training.Update``."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What must be kept between epochs, on the CPU, by name; empty where nothing is."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        ...


class Sgd:
    """Plain SGD with momentum and weight decay on the cross-entropy: the experts of MTT, TESLA and others.

    Source: Cazenavette et al. 2022 (arXiv:2203.11932), released ``buffer.py``. After ``lr_drop_epoch`` epochs the
    rate is multiplied by ``lr_drop_factor`` and the optimizer begins anew, without its velocity, as there.
    """

    def __init__(self, network: nn.Module, recipe: ExpertRecipe) -> None:
        self._recipe = recipe
        self._parameters = list(network.parameters())
        self._optimizer = torch.optim.SGD(
            self._parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        self._update = gradient_update(network, self._optimizer)

    def learning_rate(self, epoch: int) -> float:
        drop = self._recipe.lr_drop_epoch
        return self._recipe.lr * (self._recipe.lr_drop_factor if drop is not None and epoch >= drop else 1.0)

    def begin_epoch(self, epoch: int) -> None:
        if epoch == self._recipe.lr_drop_epoch:
            self._optimizer.state.clear()
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)

    def update(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self._update(inputs, labels)

    def state(self) -> dict[str, Tensor]:
        velocity = [self._optimizer.state[p].get("momentum_buffer") for p in self._parameters]
        kept = [v for v in velocity if v is not None]
        return {"velocity": flat(kept)} if kept else {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._optimizer.state.clear()
        if "velocity" in state:
            velocity = [torch.empty_like(p, requires_grad=False) for p in self._parameters]
            unflatten_into(state["velocity"], velocity)
            for parameter, buffer in zip(self._parameters, velocity, strict=True):
                self._optimizer.state[parameter]["momentum_buffer"] = buffer


OPTIMIZERS: Mapping[str, Callable[[nn.Module, ExpertRecipe], ExpertOptimizer]] = {"sgd": Sgd}


def expert_optimizer(network: nn.Module, recipe: ExpertRecipe) -> ExpertOptimizer:
    """The optimizer that the recipe names, bound to a network."""
    return OPTIMIZERS[recipe.optimizer.kind](network, recipe)
