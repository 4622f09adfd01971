"""Optimizers of experts: one small class each, chosen by ``experts.optimizer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

from torch import Tensor, nn

from ddbench.expert_buffers.gsam import Gsam
from ddbench.expert_buffers.sgd import Sgd
from ddbench.expert_buffers.smooth import Smooth
from ddbench.recipe.experts import ExpertRecipe
from ddbench.training.model_stack import SingleModel, Trainable


class ExpertState(Protocol):
    """The rate of an expert, and what its optimizer keeps between epochs."""

    def learning_rate(self, epoch: int) -> float:
        """In the given epoch, counted from 0."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What must be kept between epochs, on the CPU, by name; empty where nothing is."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        ...


class ExpertOptimizer(ExpertState, Protocol):
    """Owns one update on one batch, and the learning rate by epoch, of one expert, or of several at once.

    Built from what is trained, the recipe and the recipe's settings of its kind. Its state at an epoch's end, with the
    network's parameters, must be all that the rest of the training depends on: an interrupted expert continues from it
    to the same bits. Of several experts, ``member`` says whose state is meant.
    """

    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch's first batch, also after :meth:`restore`."""
        ...

    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        """Change the network by one batch; returns loss () and logits (B, K), detached. See ``training.Update``."""
        ...

    def state(self, member: int | None = None) -> dict[str, Tensor]: ...

    def restore(self, state: Mapping[str, Tensor], member: int | None = None) -> None: ...


@final
@dataclass(frozen=True, eq=False)
class Member:
    """One expert of several that share an optimizer."""

    optimizer: ExpertOptimizer
    number: int

    def learning_rate(self, epoch: int) -> float:
        return self.optimizer.learning_rate(epoch)

    def state(self) -> dict[str, Tensor]:
        return self.optimizer.state(self.number)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.optimizer.restore(state, self.number)


OPTIMIZERS: Mapping[str, Callable[[Trainable, ExpertRecipe, Any], ExpertOptimizer]] = {
    "sgd": Sgd,
    "gsam": Gsam,
    "smooth": Smooth,
}


def expert_optimizer(trainable: Trainable | nn.Module, recipe: ExpertRecipe) -> ExpertOptimizer:
    """The optimizer that the recipe names, bound to what it trains."""
    bound = SingleModel(trainable) if isinstance(trainable, nn.Module) else trainable
    return OPTIMIZERS[recipe.optimizer.kind](bound, recipe, recipe.optimizer)
