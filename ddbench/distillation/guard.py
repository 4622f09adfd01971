"""Guards of a distillation: harmful outer steps are skipped, counted, and in the end refused."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ddbench.errors import UserError
from ddbench.recipe.settings import Count, Positive, Settings


class Guard(Settings):
    """Conditions under which an outer step is skipped, and under which a run that can not recover stops."""

    threshold: Annotated[float, Field(gt=0)] | None = None
    """A matching loss above this is skipped (DATM: 1.0); None skips none."""
    min_student_lr: Positive = 1e-6
    """The learned rate is never let below this; released codes let it turn negative and crash in evaluation."""
    patience: Count = 50
    """How many steps in a row may be skipped, or end at ``min_student_lr``, before the run stops."""

    def refuses(self, loss: Tensor, gradients: list[Tensor]) -> str | None:
        """Check whether a step must not be taken.

        Args:
            loss: The outer loss, a scalar.
            gradients: Its gradients by what is learned.

        Returns:
            The reason, "non-finite" or "above threshold"; None where the step may be taken.
        """
        value = loss.item()
        if not math.isfinite(value) or not all(bool(torch.isfinite(g).all()) for g in gradients):
            return "non-finite"
        if self.threshold is not None and value > self.threshold:
            return "above threshold"
        return None

    def clamp(self, student_lr: Tensor) -> bool:
        """Put a learned rate that fell below ``min_student_lr`` back on it, in place.

        Args:
            student_lr: The rate, a scalar.

        Returns:
            Whether it was put back.
        """
        if student_lr.item() >= self.min_student_lr:
            return False
        student_lr.detach().fill_(self.min_student_lr)
        return True


def undone_steps(counts: Mapping[str, int]) -> int:
    """Count the outer steps that left no trace, at most.

    Args:
        counts: How often each guard acted, by its reason.

    Returns:
        Steps that were skipped; where a loss was not finite, the step before it was taken back as well.
    """
    return counts.get("above threshold", 0) + 2 * counts.get("non-finite", 0)


class GuardCounts:
    """Counts of the steps on which each guard acted, in all and in a row. Saved with the run's state.

    Args:
        total: Counts by reason, of a run that is resumed.
        in_a_row: Steps in a row that ended with a guard.
    """

    def __init__(self, total: dict[str, int] | None = None, in_a_row: int = 0) -> None:
        self.total, self.in_a_row = Counter(total or {}), in_a_row

    def note(self, reason: str | None) -> None:
        """Count one outer step.

        Args:
            reason: Why a guard acted; None where none did, which ends the row.
        """
        if reason is None:
            self.in_a_row = 0
        else:
            self.total[reason] += 1
            self.in_a_row += 1

    def stop_if_stuck(self, guard: Guard, reason: str | None, step: int) -> None:
        """Stop a run whose guards acted on ``patience`` steps in a row.

        Args:
            guard: Settings of the guards.
            reason: Why one acted on the last step; None where none did.
            step: Number of the last step.

        Raises:
            UserError: The run can not recover; says what to change.
        """
        if reason is None or self.in_a_row < guard.patience:
            return
        advice = {
            "non-finite": "lower image_lr or student_lr by ten, or inner_steps; if it began so, check the experts",
            "above threshold": "lower student_lr or image_lr, or raise guard.threshold",
            "student_lr at its floor": "lower student_lr_lr by ten, or raise student_lr",
        }
        raise UserError(
            f"the run can not recover: the guards acted on {self.in_a_row} outer steps in a row, up to step {step}",
            f"last  {reason}",
            "kept  the last good state; the same command would go on from it",
            fix=advice[reason],
        )
