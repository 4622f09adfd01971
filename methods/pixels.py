"""Where the pixels of a synthetic set begin."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.method import Task

PixelStart = Literal["real", "noise"]


def class_major_labels(classes: int, ipc: int) -> Tensor:
    """Labels 0, .., 0, 1, .., 1, ...: (classes * ipc,), int64."""
    return torch.arange(classes).repeat_interleave(ipc)


def random_rows(real: RealSet, ipc: int, generator: torch.Generator) -> Tensor:
    """``ipc`` training rows of every class, drawn without replacement, class-major: (classes * ipc,), int64.

    Errors: UserError when a class has fewer than ``ipc`` images.
    """
    real.require_ipc(ipc)
    rows = []
    for label in range(real.classes):
        of_class = real.train.rows_of_class(label).cpu()
        rows.append(of_class[torch.randperm(len(of_class), generator=generator)[:ipc]])
    return torch.cat(rows)


def start_pixels(start: PixelStart, task: Task, ipc: int, generator: torch.Generator) -> Tensor:
    """The images of step 0, (S, C, H, W), preprocessed: random real ones, or standard normal noise."""
    real = task.real
    if start == "noise":
        real.require_ipc(ipc)
        return torch.randn(real.classes * ipc, real.channels, real.size, real.size, generator=generator)
    rows = random_rows(real, ipc, generator)
    return real.inputs(real.train, rows)
