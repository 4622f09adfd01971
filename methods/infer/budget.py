"""Budget of a set: how many natural images it allows beside the compensators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from ddbench.errors import UserError


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """``ipc`` images of each of ``classes`` classes, to be spent on natural images and compensators, an image each.

    Source: Zhang et al. 2024 (INFER, arXiv:2408.06927); the released code computes K in floating point, here it is
    exact.
    """

    ipc: int
    """Images per class that may be paid for."""
    classes: int
    """Number of classes."""
    teachers: int
    """M, each of which has a compensator for every natural set; 0 where there are none."""
    shared: bool = True
    """Whether a compensator serves all classes; else there is one a class, and each is paid for. A natural set is an
    image of every class."""

    @property
    def sets(self) -> int:
        """K, how many natural sets there is room for: the largest whose images and compensators are within budget."""
        return self.budget // self._of_one_set

    @property
    def groups(self) -> int:
        """How many compensators a teacher has for one natural set."""
        return 1 if self.shared else self.classes

    @property
    def natural(self) -> int:
        """Natural images in all."""
        return self.sets * self.classes

    @property
    def compensators(self) -> int:
        """Compensators in all."""
        return self.sets * self.teachers * self.groups

    @property
    def charged(self) -> int:
        """Images that are paid for, a compensator counting as one."""
        return self.natural + self.compensators

    @property
    def budget(self) -> int:
        """Images that may be paid for."""
        return self.ipc * self.classes

    @property
    def leftover(self) -> int:
        """Images that whole sets leave unpaid."""
        return self.budget - self.charged

    @property
    def smallest_ipc(self) -> int:
        """The least ipc at which there is room for one natural set."""
        return -(-self._of_one_set // self.classes)

    @property
    def _of_one_set(self) -> int:
        return self.classes + self.teachers * self.groups

    def require_a_set(self) -> None:
        """Refuse a budget that has no room for one natural set.

        Raises:
            UserError: There is no room; names the smallest ipc that works.
        """
        if self.sets == 0:
            raise UserError(
                f"INFER does not exist at ipc {self.ipc}: there is no room for one natural image a class",
                f"budget  {self.ipc} x {self.classes} classes = {self.budget} images",
                f"needed  {self.classes} natural images and {self.teachers * self.groups} compensators",
                fix=f"choose an ipc of {self.smallest_ipc} or more, the smallest that works"
                + (", or fewer teachers" if self.teachers > 1 else ""),
            )

    def facts(self) -> dict[str, Any]:
        """Describe what the budget buys, for provenance.

        Returns:
            Counts by name, JSON.
        """
        return {
            "sets": self.sets,
            "teachers": self.teachers,
            "charged_items": self.charged,
            "budget_items": self.budget,
            "leftover_items": self.leftover,
        }

    def in_words(self) -> str:
        """Describe what the budget buys, and what the rounding down to whole sets leaves.

        Returns:
            One sentence.
        """
        bought = f"{self.natural} natural images ({self.sets} a class) and {self.compensators} compensators"
        return f"{bought} are charged as {self.charged} of {self.budget} images; {self.leftover} are left over"
