"""Base of all methods: what every method answers before, while and after the engine runs it."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from ddbench.data.realset import RealSet
from ddbench.distillation.task import Task
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.recipe.renamed_keys import former_names
from ddbench.recipe.settings import Settings
from ddbench.recipe.teachers import TeachersRecipe


class Method(Settings, abc.ABC):
    """Base of all methods: frozen settings, read from a recipe, with pure functions that the engine calls."""

    EXPERTS: ClassVar[Mapping[str, Any]] = {}
    """Settings of ``experts`` with which the method was published, for what a recipe leaves unsaid."""
    DOMAIN: ClassVar[str] = "images"
    """Name of the domain whose data it distills (``ddbench.pipeline.domain``)."""
    KIND: ClassVar[str] = ""
    """Way in which its set is made: ``optimized``, ``direct``, ``jobs``."""

    @property
    def outer_steps(self) -> int:
        """Steps of the engine's outer loop; 0 for a method that makes its set without one."""
        return 0

    @property
    def averaged(self) -> bool:
        """True where its set is a moving average, beside which the images themselves are saved."""
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
        """Estimate how long the method's independent jobs take, one after the other.

        Args:
            task: What is distilled from.
            ipc: Images per class.

        Returns:
            Seconds; None for a method without jobs.
        """
        del task, ipc
        return None

    def loop_seconds(self, sizes: Sizes, ipc: int) -> float:
        """Estimate how long the outer loop takes, uncompiled, on one thread or one GPU.

        Args:
            sizes: Sizes of student and data.
            ipc: Images per class.

        Returns:
            Seconds, by which the engine decides whether several distillations are worth processes of their own; 0
            for a method without an outer loop, or where nobody knows.
        """
        del sizes, ipc
        return 0.0

    def required_teachers(self) -> TeachersRecipe | None:
        """Name the teachers that the method distills against.

        Returns:
            Their networks and training, which the engine does once and hands over as ``task.teachers``; None for a
            method that needs none.
        """
        return None
