"""Initialization of synthetic images."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ddbench.data.class_subset import random_rows
from ddbench.distillation.task import OuterStep, Task
from ddbench.recipe.settings import Part


@dataclass(frozen=True)
class InitialImages:
    """The images of step 0."""

    images: Tensor
    """(S, C, H, W), preprocessed, class-major."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader of results must know."""


class Initialization(Part, abc.ABC):
    """A way to choose the images of step 0. Draws come from ``at``'s streams."""

    asks_experts: ClassVar[bool] = False
    """Whether experts see images first."""

    def validate_ipc(self, ipc: int) -> None:
        """Refuse an ipc for which this can not choose images.

        Args:
            ipc: Images per class.

        Raises:
            UserError: The settings do not go with this ipc.
        """
        del ipc

    @abc.abstractmethod
    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        """Choose ``ipc`` images of every class.

        Args:
            task: What is distilled from.
            ipc: Images per class.
            step: Streams of randomness.
            label_expert_epoch: Epoch of the experts that see images, where any do.

        Returns:
            The images, and notes for readers of results.

        Raises:
            UserError: A class has fewer than ``ipc`` training images, or the experts do not reach the epoch.
        """


class RealInit(Initialization):
    """Random real images of each class, without replacement. MTT, FTD, TESLA."""

    kind: Literal["real"] = "real"

    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        del label_expert_epoch
        return InitialImages(task.real.inputs(task.real.train, random_rows(task.real, ipc, step.stream("pixels"))))


class NoiseInit(Initialization):
    """Standard normal noise."""

    kind: Literal["noise"] = "noise"

    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        del label_expert_epoch
        real = task.real
        real.require_ipc(ipc)
        shape = (real.classes * ipc, real.channels, real.size, real.size)
        return InitialImages(torch.randn(shape, generator=step.stream("pixels")))


class UnitNoiseInit(NoiseInit):
    """Standard normal noise, each image divided by its norm.

    Source: Feng et al. 2024 (RaT-BPTT, arXiv:2311.07025), released ``base.py``, ``project``. Differs: none.
    """

    kind: Literal["unit-noise"] = "unit-noise"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen

    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        images = super().start(task, ipc, step, label_expert_epoch).images
        return InitialImages(functional.normalize(images.flatten(1)).view(images.shape))


def class_major_labels(classes: int, ipc: int) -> Tensor:
    """Label a set class by class: 0, .., 0, 1, .., 1, ...

    Args:
        classes: Number of classes.
        ipc: Images per class.

    Returns:
        (classes * ipc,), int64.
    """
    return torch.arange(classes).repeat_interleave(ipc)
