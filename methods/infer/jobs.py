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
    """Natural sets ``first`` to ``last`` with the compensators that one teacher has for them."""

    teacher: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"teacher{self.teacher}-sets{self.first}-{self.last}"

    @property
    def sets(self) -> range:
        return range(self.first, self.last + 1)


def groups_of(budget: Budget, at_once: int) -> dict[str, CompensatorJob]:
    """All compensators of a budget by the names of their groups, each of at most ``at_once`` natural sets."""
    every = [
        CompensatorJob(teacher, first, min(first + at_once, budget.sets) - 1)
        for teacher in range(budget.teachers)
        for first in range(0, budget.sets, at_once)
    ]
    return {group.name: group for group in every}


def sets_at_once(pixels: int, classes: int) -> int:
    """How many natural sets share a batch.

    Args:
        pixels: Numbers of an image.
        classes: Of each set that are seen together.
    """
    return max(1, NUMBERS_AT_ONCE // (pixels * classes))


def in_order(
    groups: Mapping[str, CompensatorJob], made: Mapping[str, Mapping[str, Tensor]], budget: Budget, shape: Sequence[int]
) -> Tensor:
    """What the groups found, each (sets, groups, *shape), in one: (M, K, groups, *shape), float16."""
    found = torch.zeros(budget.teachers, budget.sets, budget.groups, *shape, dtype=torch.float16)
    for name, group in groups.items():
        found[group.teacher, group.first : group.last + 1] = made[name]["compensators"]
    return found
