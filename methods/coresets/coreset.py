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
    """Choose ``ipc`` real images of every class by their features under expert 0.

    Args:
        task: What is distilled from.
        ipc: Images per class.
        epoch: Epoch of the expert whose features count.
        choose: Picks rows by their features.

    Returns:
        The set of the chosen images, class-major, with hard labels.

    Raises:
        UserError: A class has fewer than ``ipc`` images, or there are no experts.
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
    """Compute features of training images, without augmentation: what enters the last linear layer of expert 0.

    Args:
        task: What is distilled from.
        rows: Rows of the training split, (n,), int64.
        epoch: Epoch of the expert.
        chunk: Images that pass the network at once.

    Returns:
        (n, F), on the CPU.

    Raises:
        UserError: There are no experts, or the network has no linear layer.
    """
    if task.experts is None:
        raise UserError("selection by features needs an expert", fix="give the task an expert buffer")
    theta = task.experts[0, epoch].to(task.device)
    parts = (task.real.inputs(task.real.train, part) for part in rows.split(chunk))
    return torch.cat([task.network.embed(theta, part).cpu() for part in parts])
