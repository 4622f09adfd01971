"""Networks drawn at random for an outer step."""

from __future__ import annotations

from torch import Tensor

from ddbench.distillation.task import OuterStep, Task
from ddbench.networks import initial_parameters
from ddbench.randomness import derive


def drawn_network(task: Task, step: OuterStep) -> Tensor:
    """Draw the parameters of a network, initialized as the student's kind is.

    Args:
        task: What is distilled from.
        step: The step, which decides the draw.

    Returns:
        (P,), on the task's device, in the student's dtype.
    """
    seed = derive(step.seed, "outer", step.number, "network")
    theta = initial_parameters(task.network_name, task.real.shape, seed=seed)
    return theta.to(next(task.network.module.parameters()))
