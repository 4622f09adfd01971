"""Initialization of synthetic images."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.distillation.method import OuterStep, Task
from ddbench.recipe.settings import Part


@dataclass(frozen=True)
class InitialImages:
    """The images of step 0, (S, C, H, W), preprocessed, class-major."""

    images: Tensor
    notes: tuple[str, ...] = ()
    """What a reader of results must know."""


class Initialization(Part, abc.ABC):
    """A way to choose the images of step 0. Draws come from ``at``'s streams."""

    asks_experts: ClassVar[bool] = False

    def validate_ipc(self, ipc: int) -> None:
        """Errors: UserError where this can not choose ``ipc`` images a class."""
        del ipc

    @abc.abstractmethod
    def start(self, task: Task, ipc: int, at: OuterStep, label_expert_epoch: int) -> InitialImages:
        """``ipc`` images of every class.

        Args:
            label_expert_epoch: Of the experts that judge, where any do.

        Raises:
            UserError: A class has fewer than ``ipc`` training images.
        """


class RealInit(Initialization):
    """Random real images of each class, without replacement. MTT, FTD, TESLA."""

    kind: Literal["real"] = "real"

    def start(self, task: Task, ipc: int, at: OuterStep, label_expert_epoch: int) -> InitialImages:
        del label_expert_epoch
        return InitialImages(task.real.inputs(task.real.train, random_rows(task.real, ipc, at.stream("pixels"))))


class NoiseInit(Initialization):
    """Standard normal noise."""

    kind: Literal["noise"] = "noise"

    def start(self, task: Task, ipc: int, at: OuterStep, label_expert_epoch: int) -> InitialImages:
        del label_expert_epoch
        real = task.real
        real.require_ipc(ipc)
        shape = (real.classes * ipc, real.channels, real.size, real.size)
        return InitialImages(torch.randn(shape, generator=at.stream("pixels")))


def class_major_labels(classes: int, ipc: int) -> Tensor:
    """Labels 0, .., 0, 1, .., 1, ...: (classes * ipc,), int64."""
    return torch.arange(classes).repeat_interleave(ipc)


def random_rows(real: RealSet, ipc: int, generator: torch.Generator) -> Tensor:
    """``ipc`` training rows of every class, drawn without replacement, class-major:

    (classes * ipc,), int64.

    Raises:
        UserError: A class has fewer than ``ipc`` images.
    """
    real.require_ipc(ipc)
    return torch.cat([rows[:ipc] for rows in shuffled_classes(real, generator)])


def shuffled_classes(real: RealSet, generator: torch.Generator) -> list[Tensor]:
    """The training rows of each class in an order drawn for it, int64."""
    by_class = (real.train.rows_of_class(label).cpu() for label in range(real.classes))
    return [rows[torch.randperm(len(rows), generator=generator)] for rows in by_class]
