"""The compensators of a set as independent jobs: few at once of the same teacher, as many as a batch holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ddbench.methods.infer.budget import Budget

NUMBERS_AT_ONCE = 2**20
"""Numbers in images that a teacher sees together where nobody says how many: 341 images of 32 pixels. A constant, so
that what is computed together does not depend on the machine."""


@final
@dataclass(frozen=True)
class CompensatorJob:
    """Natural sets ``first`` to ``last``, both included, with the compensators that one teacher has for them."""

    teacher: int
    """Number of the teacher, from 0."""
    first: int
    """First natural set, from 0."""
    last: int
    """Last natural set."""

    @property
    def name(self) -> str:
        """Name of the job and of its file."""
        return f"teacher{self.teacher}-sets{self.first}-{self.last}"

    @property
    def sets(self) -> range:
        """Numbers of the natural sets."""
        return range(self.first, self.last + 1)


def groups_of(budget: Budget, at_once: int) -> dict[str, CompensatorJob]:
    """Divide all compensators of a budget among jobs.

    Args:
        budget: The budget.
        at_once: Natural sets of a job, at most.

    Returns:
        Jobs by their names.
    """
    every = [
        CompensatorJob(teacher, first, min(first + at_once, budget.sets) - 1)
        for teacher in range(budget.teachers)
        for first in range(0, budget.sets, at_once)
    ]
    return {group.name: group for group in every}


def sets_at_once(pixels: int, classes: int) -> int:
    """Choose how many natural sets share a batch.

    Args:
        pixels: Numbers of an image.
        classes: Classes of each set that are seen together.

    Returns:
        Natural sets, one at the least.
    """
    return max(1, NUMBERS_AT_ONCE // (pixels * classes))


def in_order(
    groups: Mapping[str, CompensatorJob], made: Mapping[str, Mapping[str, Tensor]], budget: Budget, shape: Sequence[int]
) -> Tensor:
    """Put together the compensators that jobs made.

    Args:
        groups: Jobs by their names.
        made: Tensors of each job; its "compensators" are (sets, groups, *shape).
        budget: The budget.
        shape: Shape of an image, (C, H, W).

    Returns:
        (M, K, groups, *shape), float16.
    """
    compensators = torch.zeros(budget.teachers, budget.sets, budget.groups, *shape, dtype=torch.float16)
    for name, group in groups.items():
        compensators[group.teacher, group.first : group.last + 1] = made[name]["compensators"]
    return compensators
