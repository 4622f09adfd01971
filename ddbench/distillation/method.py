"""The contract of a distillation method: frozen settings with a few pure functions.

The engine owns everything else. Two kinds are told apart by what they have. An *optimized* method starts from a
synthetic set and says how wrong it is; the outer loop owns optimizers, clock, checkpoints, guards and progress. A
*direct* method makes the set at once.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import model_validator
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.distillation.guard import Guard
from ddbench.distillation.outer_optimizer import OuterOptimizer
from ddbench.distillation.task import OuterStep, Task
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.recipe.renamed_keys import former_names
from ddbench.recipe.settings import Count, Settings, Share
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.synthetic.synthetic_set import SyntheticSet


class Method(Settings, abc.ABC):
    """Base of all methods: frozen settings, read from a recipe, with pure functions that the engine calls."""

    EXPERTS: ClassVar[Mapping[str, Any]] = {}
    """Settings of ``experts`` with which the method was published, for what a recipe leaves unsaid."""
    DOMAIN: ClassVar[str] = "images"
    """Name of the domain whose data it distills (``ddbench.pipeline.domain``)."""
    KIND: ClassVar[str] = ""
    """How its set is made, in a word: ``optimized``, ``direct``, ``jobs``."""

    @property
    def outer_steps(self) -> int:
        """Steps of the engine's outer loop; 0 for a method that makes its set without one."""
        return 0

    @property
    def averaged(self) -> bool:
        """Whether its set is a moving average, beside which the images themselves are kept."""
        return False

    def for_ipc(self, ipc: int) -> Self:
        """Fill in what follows from the number of images per class, where settings leave it open.

        Args:
            ipc: Images per class, 1 or more.

        Returns:
            The settings with which a set of this size is made and recorded; the same where nothing is open.
        """
        del ipc
        return self

    def soft_labels(self) -> bool:
        """Check whether the method's sets carry soft labels.

        Returns:
            True where they do: a run then adds the baseline ``random-soft``, random real images with labels of the same
            experts, so that a table shows what the labels alone are worth.
        """
        return False

    def validate_ipc(self, ipc: int) -> None:
        """Refuse a number of images per class with which these settings do not work.

        Called while the recipe is checked, before anything is loaded or trained.

        Args:
            ipc: Images per class, 1 or more.

        Raises:
            UserError: The settings do not work at this ipc; says which setting to change.
        """
        del ipc

    def validate_data(self, real: RealSet, ipc: int) -> None:
        """Refuse data with which these settings do not work.

        Called once the data is loaded, before experts or teachers are trained.

        Args:
            real: The data set, preprocessed, its validation split cut off.
            ipc: Images per class, 1 or more.

        Raises:
            UserError: The settings do not work with this data; says which setting to change.
        """
        del real, ipc

    def needed_epochs(self) -> int | None:
        """Tell how far along experts the method looks.

        Returns:
            The number of epochs of which each expert must have a record; the engine trains experts that long where the
            recipe says ``epochs: auto``. None for a method that needs no experts: its ``task.experts`` is None.
        """
        return None

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        """Summarize the work of one distillation for ``ddbench plan``.

        Args:
            sizes: Sizes of student and data.
            ipc: Images per class.

        Returns:
            Amounts by name, in the order in which they are printed, as ``{"outer steps": 5000, "unroll": "adjoint"}``.
        """
        del sizes, ipc
        return {}

    def peak_bytes(self, sizes: Sizes, ipc: int) -> int | None:
        """Estimate the peak memory of distilling.

        Args:
            sizes: Sizes of student and data.
            ipc: Images per class.

        Returns:
            Bytes on the device beyond what lies there before (data, student); None where there is no estimate. A run
            that would not fit is refused before it starts.
        """
        del sizes, ipc
        return None

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        """Suggest what to change where memory does not suffice.

        Args:
            sizes: Sizes of student and data.
            ipc: Images per class.
            available: Bytes in which the distillation should fit.

        Returns:
            Changes after which it fits, the best first; where none suffices, those that help most. Errors print them.
        """
        del sizes, ipc, available
        return ()

    def defining_settings(self) -> dict[str, Any]:
        """Name the settings that a set follows from.

        A run is resumed, and a finished set used again, where these are the same. A method overrides this to leave at
        its default what only says how the same numbers are computed, up to rounding.

        Returns:
            Settings by name, JSON.
        """
        return former_names(self.model_dump(mode="json"), self.RENAMED)

    def seconds(self, task: Task, ipc: int) -> float | None:
        """About how long its independent jobs take, one after the other; None for a method that has none."""
        del task, ipc
        return None

    def required_teachers(self) -> TeachersRecipe | None:
        """Name the teachers that the method distills against.

        Returns:
            Their networks and training, which the engine does once and hands over as ``task.teachers``; None for a
            method that needs none.
        """
        return None


class OptimizedMethod(Method):
    """A method whose set is found by gradient steps on an outer loss. The engine takes the steps.

    In call order: ``validate_ipc``, ``validate_data``, ``initialize`` once; then in each outer step ``carry`` and
    ``outer_loss``, whose gradient moves the parts that ``outer_rates`` names; ``finalize`` for each candidate. All are
    pure functions of their arguments: they write no file, keep no state and draw no number but from the streams of
    their step.
    """

    KIND: ClassVar[str] = "optimized"

    iterations: Count = 5000
    """Outer steps."""
    keep_every: Count | None = None
    """Outer steps between the candidates among which selection chooses; None keeps ten in all."""
    guard: Guard = Guard()
    """When an outer step is skipped, and when a run that can not recover stops."""
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
    def initialize(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """Make the set of step 0.

        Args:
            task: What is distilled from: real data, student, experts.
            ipc: Images per class.
            at: The step 0, with its streams of randomness; no other randomness may be used.

        Returns:
            ``ipc * classes`` images (S, C, H, W), float32 in the space of the task's preprocessing, their labels, and
            ``student_lr``, a scalar, where one is learned; made by :meth:`Task.synthetic`.

        Raises:
            UserError: The task lacks what the set is made from.
        """

    def carry(self, syn: SyntheticSet, task: Task, at: OuterStep) -> Mapping[str, Tensor]:
        """Make what an outer step hands on to the next, such as a network that several steps of the images share.

        Called at the beginning of each step. What it returns is ``at.carried`` in ``outer_loss`` of this step and in
        ``carry`` of the next; it is written to checkpoints, once the step is over.

        Args:
            syn: The set as it is now, its tensors without history.
            task: What is distilled from.
            at: The step, with its streams of randomness; ``at.carried`` is what the step before returned, empty at
                first.

        Returns:
            Tensors by name, on any device, without history; the same bits for equal arguments.
        """
        del syn, task, at
        return {}

    @abc.abstractmethod
    def outer_loss(self, syn: SyntheticSet, task: Task, at: OuterStep) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of the set at one outer step.

        The engine differentiates the loss; a step that :class:`Guard` refuses is skipped.

        Args:
            syn: The set as it is now; the tensors that ``outer_rates`` names require a gradient.
            task: What is distilled from.
            at: The step, with its streams of randomness, and with what :meth:`carry` made of the step before; no other
                randomness may be used.

        Returns:
            The loss, a scalar tensor, and facts for progress and log by name, as ``{"start_epoch": 7}``.

        Raises:
            UserError: Set or task lack what the loss is made of.
        """

    @abc.abstractmethod
    def outer_rates(self) -> Mapping[str, OuterOptimizer]:
        """Name the parts of the set that are learned.

        Returns:
            The optimizer of each part by its name: "images", "labels", "student_lr". What is not named stays as it was
            initialized.
        """

    def timing_init(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """Make a set for a plan, which times a few outer steps on it.

        Args:
            task: What is distilled from; its data and experts are drawn at random.
            ipc: Images per class.
            at: The step 0, with its streams of randomness.

        Returns:
            A set on which steps take as long as on that of :meth:`initialize`; a method whose ``initialize`` is slow
            overrides this by something quicker.
        """
        return self.initialize(task, ipc, at)

    def finalize(self, syn: SyntheticSet, task: Task, at: OuterStep) -> SyntheticSet:
        """Turn the set of a step into the one that is stored and scored.

        Args:
            syn: The set after the step, its tensors without history; with ``ema_decay`` once more with averaged images.
            task: What is distilled from.
            at: The step after which it is stored.

        Returns:
            The set as a file has it; a method whose labels follow from its images makes them here.
        """
        del task, at
        return syn


class DirectMethod(Method):
    """A method that makes its set without an outer loop: baselines, selection, mining.

    The engine calls ``validate_ipc`` and ``validate_data``, then ``distill`` once, and notes time and memory.
    """

    KIND: ClassVar[str] = "direct"

    @abc.abstractmethod
    def distill(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """Make the set.

        Args:
            task: What is distilled from: real data, student, experts where ``needed_epochs`` is a number.
            ipc: Images per class.
            at: The step 0, with its streams of randomness; no other randomness may be used.

        Returns:
            ``ipc * classes`` images (S, C, H, W), float32 in the space of the task's preprocessing, with labels; made
            by :meth:`Task.synthetic`.

        Raises:
            UserError: Task and settings do not go together.
        """
