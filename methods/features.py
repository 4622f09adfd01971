"""What a trained expert sees in the real images, for the baselines that select by distance."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.method import Task


@torch.no_grad()
def expert_features(task: Task, rows: Tensor, epoch: int, chunk: int = 512) -> Tensor:
    """Features of training images, (n, F), on the CPU: what enters the last linear layer of expert 0 at ``epoch``.

    rows: of the training split, (n,). No augmentation. Errors: UserError without experts.
    """
    if task.experts is None:
        raise UserError("selection by features needs an expert", fix="give the task an expert buffer")
    theta = task.experts[0, epoch].to(task.device)
    linear = [module for module in task.network.module.modules() if isinstance(module, torch.nn.Linear)][-1]
    found: list[Tensor] = []
    handle = linear.register_forward_pre_hook(lambda module, entering: found.append(entering[0].flatten(1).cpu()))
    try:
        for part in rows.split(chunk):
            task.network(theta, task.real.inputs(task.real.train, part.to(task.real.train.images.device)))
    finally:
        handle.remove()
    return torch.cat(found)
