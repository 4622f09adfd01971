"""How an expert is updated: one small class each, chosen by ``experts.optimizer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from ddbench.expert_buffers.gsam import Gsam
from ddbench.expert_buffers.sgd import Sgd
from ddbench.expert_buffers.smooth import Smooth
from ddbench.expert_recipe import ExpertRecipe


class ExpertOptimizer(Protocol):
    """Owns one update on one batch, and the learning rate by epoch, of one expert.

    Built from the network, the recipe and the recipe's settings of its kind. Its state at an epoch's end, with the
    network's parameters, must be all that the rest of the training depends on: an interrupted expert continues from it
    to the same bits.
    """

    def learning_rate(self, epoch: int) -> float:
        """In the given epoch, counted from 0."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch's first batch, also after :meth:`restore`."""
        ...

    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        """Change the network by one batch; returns loss () and logits (B, K), detached. See ``training.Update``."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What must be kept between epochs, on the CPU, by name; empty where nothing is."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        ...


OPTIMIZERS: Mapping[str, Callable[[nn.Module, ExpertRecipe, Any], ExpertOptimizer]] = {
    "sgd": Sgd,
    "gsam": Gsam,
    "smooth": Smooth,
}


def expert_optimizer(network: nn.Module, recipe: ExpertRecipe) -> ExpertOptimizer:
    """The optimizer that the recipe names, bound to a network."""
    return OPTIMIZERS[recipe.optimizer.kind](network, recipe, recipe.optimizer)
