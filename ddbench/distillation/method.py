"""The contract of a distillation method: frozen settings with a few pure functions.

The engine owns everything else: clock, checkpoints, guards, progress and evaluation. An *optimized* method starts from
a synthetic set and computes its loss; a *direct* method makes the set at once; a method of *jobs*
(:mod:`ddbench.distillation.job_method`) puts it together from parts that are made anywhere.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator
from torch import Tensor

from ddbench.distillation.base_method import Method
from ddbench.distillation.guard import Guard
from ddbench.distillation.outer_optimizer import OuterOptimizer
from ddbench.distillation.task import OuterStep, Task
from ddbench.recipe.settings import Count, Share
from ddbench.synthetic.synthetic_set import SyntheticSet


class OptimizedMethod(Method):
    """A method whose set is found by gradient steps on an outer loss. The engine takes the steps.

    In call order: ``validate_ipc``, ``validate_data``, ``initialize`` once; then in each outer step ``carry`` and
    ``outer_loss``, whose gradient moves the parts that ``outer_rates`` names, unless ``guard`` refuses it; ``finalize``
    for each candidate. All are pure functions: they write no file, keep no state and draw from their step's streams.
    """

    KIND: ClassVar[str] = "optimized"

    iterations: Count = 5000
    """Outer steps."""
    keep_every: Count | None = None
    """Outer steps between the candidates among which selection chooses; None keeps ten in all."""
    guard: Guard = Guard()
    """Conditions under which an outer step is skipped, and under which a run that can not recover stops."""
    ema_decay: Share | None = None
    """d of a moving average of the images, ``average <- d * average + (1 - d) * images`` after every step taken.
    The average is then the set that is kept, and the images themselves are kept beside it. None: no average."""
    keep_warm_images: bool = False
    """Whether the averaged set carries the plain images with it, for a protocol that warms networks up on them."""

    @property
    def outer_steps(self) -> int:
        return self.iterations

    @property
    def averaged(self) -> bool:
        return self.ema_decay is not None

    @model_validator(mode="after")
    def _warm_images_need_an_average(self) -> OptimizedMethod:
        if self.keep_warm_images and self.ema_decay is None:
            raise ValueError("keep_warm_images goes with a moving average of the images: set ema_decay as well")
        return self

    @abc.abstractmethod
    def initialize(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        """Make the set of step 0.

        Args:
            task: What is distilled from: real data, student, experts.
            ipc: Images per class.
            step: The step 0, with its streams of randomness; no other randomness may be used.

        Returns:
            ``ipc * classes`` images (S, C, H, W), float32 in the space of the task's preprocessing, their labels, and
            ``student_lr``, a scalar, where one is learned; made by :meth:`Task.synthetic`.

        Raises:
            UserError: The task lacks what the set is made from.
        """

    def carry(self, syn: SyntheticSet, task: Task, step: OuterStep) -> Mapping[str, Tensor]:
        """Make what an outer step hands on to the next, such as a network that several steps of the images share.

        Called at the beginning of each step. What it returns is ``at.carried`` in ``outer_loss`` of this step and in
        ``carry`` of the next; it is written to checkpoints, once the step is over.

        Args:
            syn: The set as it is now, its tensors without history.
            task: What is distilled from.
            step: The step, with its streams of randomness; ``at.carried`` is what the step before returned, empty at
                first.

        Returns:
            Tensors by name, on any device, without history; the same bits for equal arguments.
        """
        del syn, task, step
        return {}

    @abc.abstractmethod
    def outer_loss(self, syn: SyntheticSet, task: Task, step: OuterStep) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of the set at one outer step.

        Args:
            syn: The set as it is now; the tensors that ``outer_rates`` names require a gradient.
            task: What is distilled from.
            step: The step, with its streams of randomness, the only ones that may be used, and with what :meth:`carry`
                made of the step before.

        Returns:
            The loss, a scalar tensor, and facts for progress and log by name, as ``{"start_epoch": 7}``.

        Raises:
            UserError: Set or task lack what the loss is made of.
        """

    @abc.abstractmethod
    def outer_rates(self) -> Mapping[str, OuterOptimizer]:
        """Name the parts of the set that are learned.

        Returns:
            The optimizer of each part by its name: "images", "labels", "student_lr". Others stay as initialized.
        """

    def timing_init(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        """Make a set for a plan, which times a few outer steps on it.

        Args:
            task: What is distilled from; its data and experts are drawn at random.
            ipc: Images per class.
            step: The step 0, with its streams of randomness.

        Returns:
            A set on which steps take as long as on that of :meth:`initialize`, and that may be quicker to make.
        """
        return self.initialize(task, ipc, step)

    def with_inner_steps(self, inner_steps: int) -> Self | None:
        """Make the method with another number of inner steps, for a plan: it times two, and draws a line through them.

        Args:
            inner_steps: Wanted number; where the method needs more, it takes as few as it can.

        Returns:
            The method; None where an outer step is not made of equal inner ones, when whole outer steps are timed.
        """
        del inner_steps
        return None

    def finalize(self, syn: SyntheticSet, task: Task, step: OuterStep) -> SyntheticSet:
        """Turn the set of a step into the one that is stored and scored.

        Args:
            syn: The set after the step, its tensors without history; with ``ema_decay`` once more with averaged images.
            task: What is distilled from.
            step: The step after which it is stored.

        Returns:
            The set as a file has it; a method whose labels follow from its images makes them here.
        """
        del task, step
        return syn


class DirectMethod(Method):
    """A method that makes its set without an outer loop: baselines, selection, mining.

    The engine calls ``validate_ipc`` and ``validate_data``, then ``distill`` once, and notes time and memory.
    """

    KIND: ClassVar[str] = "direct"

    @abc.abstractmethod
    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        """Make the set.

        Args:
            task: What is distilled from: real data, student, experts where ``needed_epochs`` is a number.
            ipc: Images per class.
            step: The step 0, with its streams of randomness; no other randomness may be used.

        Returns:
            ``ipc * classes`` preprocessed images (S, C, H, W), with labels; made by :meth:`Task.synthetic`.

        Raises:
            UserError: Task and settings do not go together.
        """
