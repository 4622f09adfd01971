"""Optimizers of experts: SGD with the recipe's numbers, by one of three steps, and the state it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ddbench.expert_buffers.batches import ExpertBatch
from ddbench.expert_buffers.gsam import GsamStep
from ddbench.expert_buffers.smooth import SmoothStep
from ddbench.expert_buffers.trajectory import flat, unflatten_into
from ddbench.recipe.experts import ExpertRecipe
from ddbench.training.loop import ScheduledOptimizer, Step, gradient_step
from ddbench.training.model_stack import SingleModel, Trainable

ExpertOptimizer = ScheduledOptimizer[ExpertBatch]

STEPS: Mapping[str, Callable[[Any], Step[ExpertBatch]]] = {
    "sgd": lambda settings: gradient_step,
    "gsam": GsamStep,
    "smooth": SmoothStep,
}
"""Steps by the kind of a recipe's optimizer, made from its settings. "sgd" is that of the experts of MTT, TESLA and
others: Cazenavette et al. 2022 (arXiv:2203.11932), released ``buffer.py``."""


def expert_optimizer(trainable: Trainable | nn.Module, recipe: ExpertRecipe) -> ExpertOptimizer:
    """Make the optimizer that a recipe names.

    After ``lr_drop_epoch`` epochs the rate is multiplied by ``lr_drop_factor`` and the optimizer begins anew, without
    its velocity, as in MTT's released ``buffer.py``. Its state at an epoch's end, with the network's parameters, is all
    that the rest of the training depends on: an interrupted expert continues from it to the same bits.

    Args:
        trainable: Expert, or stack of experts, that it trains.
        recipe: Rates, momentum, weight decay and kind.

    Returns:
        The optimizer, at the beginning.
    """
    bound = SingleModel(trainable) if isinstance(trainable, nn.Module) else trainable
    drop = recipe.lr_drop_epoch

    def rate(epoch: int) -> float:
        return recipe.lr * (recipe.lr_drop_factor if drop is not None and epoch >= drop else 1.0)

    sgd = torch.optim.SGD(
        list(bound.parameters.values()), lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    return ScheduledOptimizer(bound, sgd, rate, restart=drop, step=STEPS[recipe.optimizer.kind](recipe.optimizer))


@final
@dataclass(frozen=True, eq=False)
class ExpertState:
    """State of an expert's optimizer between epochs."""

    optimizer: ExpertOptimizer
    """Optimizer of the expert, or of several at once."""
    member: int | None = None
    """Place of the expert in the stack; None where it is trained alone."""

    def state(self) -> dict[str, Tensor]:
        """Copy what must be kept to the CPU.

        Returns:
            ``velocity``, (P,), by its name; empty where there is no momentum yet.
        """
        parameters = self.optimizer.trainable.parameters.values()
        velocities = [self.optimizer.optimizer.state[p].get("momentum_buffer") for p in parameters]
        if all(velocity is None for velocity in velocities):
            return {}
        whole = (torch.zeros_like(p) if v is None else v for v, p in zip(velocities, parameters, strict=True))
        return {"velocity": flat(v if self.member is None else v[self.member] for v in whole)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set the optimizer to a saved state.

        Args:
            state: As :meth:`state` returns it; empty where there was no velocity.
        """
        if self.member is None:
            self.optimizer.optimizer.state.clear()
        if "velocity" in state:
            velocity = [self._velocity(p) for p in self.optimizer.trainable.parameters.values()]
            own = velocity if self.member is None else [v[self.member] for v in velocity]
            unflatten_into(state["velocity"], own)

    def _velocity(self, parameter: Tensor) -> Tensor:
        """The live buffer; zero where there was none, which is as good."""
        state = self.optimizer.optimizer.state[parameter]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)
        return state["momentum_buffer"]
