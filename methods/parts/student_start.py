"""Inner steps that a student takes before those that are differentiated."""

from __future__ import annotations

import abc
from typing import Literal

import torch

from ddbench.distillation.task import OuterStep
from ddbench.randomness import stream
from ddbench.recipe.settings import Part


class StudentStart(Part, abc.ABC):
    """A way to choose how many inner steps come before the window."""

    @abc.abstractmethod
    def draw(self, first: int, last: int, step: OuterStep, epoch: int) -> int:
        """Choose the start of the window.

        Args:
            first: Earliest start.
            last: Latest start, included.
            step: The outer step.
            epoch: Its epoch over the real images.

        Returns:
            Inner steps before the window.
        """

    @abc.abstractmethod
    def mean(self, first: int, last: int) -> float:
        """Tell the average start.

        Args:
            first: Earliest start.
            last: Latest start, included.

        Returns:
            Inner steps.
        """


class UniformStart(StudentStart):
    """Any start from the earliest to the latest, each as likely. RaT-BPTT's own."""

    kind: Literal["uniform"] = "uniform"
    every: Literal["epoch", "step"] = "epoch"
    """Whether it is drawn anew for every epoch over the real images, or for every outer step."""

    def draw(self, first: int, last: int, step: OuterStep, epoch: int) -> int:
        generator = stream(step.seed, "epoch", epoch, "start") if self.every == "epoch" else step.stream("start")
        return int(torch.randint(first, last + 1, (), generator=generator))

    def mean(self, first: int, last: int) -> float:
        return (first + last) / 2


class FixedStart(StudentStart):
    """The latest start, always, so that every run has all its steps ("stabilised")."""

    kind: Literal["fixed"] = "fixed"

    def draw(self, first: int, last: int, step: OuterStep, epoch: int) -> int:
        del first, step, epoch
        return last

    def mean(self, first: int, last: int) -> float:
        del first
        return float(last)
