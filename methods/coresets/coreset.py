"""Real images chosen class by class by what a trained expert sees in them: what herding and k-center share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ddbench.distillation.task import Task
from ddbench.errors import UserError
from ddbench.methods.parts.initialization import class_major_labels
from ddbench.synthetic.synthetic_set import SyntheticSet

Choose = Callable[[Tensor, int], Tensor]
"""Features (n, F) of a class and a count to the positions of the chosen images, (count,), each once."""


def coreset(task: Task, ipc: int, epoch: int, choose: Choose) -> SyntheticSet:
    """The set of ``ipc`` images of every class that ``choose`` picks by their features under expert 0 at ``epoch``.

    Raises:
        UserError: A class has fewer than ``ipc`` images, and without experts.
    """
    real = task.real
    real.require_ipc(ipc)
    rows = []
    for label in range(real.classes):
        of_class = real.train.rows_of_class(label).cpu()
        rows.append(of_class[choose(expert_features(task, of_class, epoch), ipc)])
    images = real.inputs(real.train, torch.cat(rows))
    return task.synthetic(images, class_major_labels(real.classes, ipc), ipc=ipc)


@torch.no_grad()
def expert_features(task: Task, rows: Tensor, epoch: int, chunk: int = 512) -> Tensor:
    """Features of training images, (n, F), on the CPU: what enters the last linear layer of expert 0 at ``epoch``.

    Args:
        rows: Of the training split, (n,). No augmentation.

    Raises:
        UserError: Without experts, and for a network without a linear layer.
    """
    if task.experts is None:
        raise UserError("selection by features needs an expert", fix="give the task an expert buffer")
    theta = task.experts[0, epoch].to(task.device)
    linear = [module for module in task.network.module.modules() if isinstance(module, torch.nn.Linear)]
    if not linear:
        raise UserError(f"{task.network_name} has no linear layer to take features from", fix="choose another network")
    found: list[Tensor] = []
    handle = linear[-1].register_forward_pre_hook(lambda module, entering: found.append(entering[0].flatten(1).cpu()))
    try:
        for part in rows.split(chunk):
            task.network(theta, task.real.inputs(task.real.train, part))
    finally:
        handle.remove()
    return torch.cat(found)
