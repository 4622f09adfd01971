"""Matching losses: how far a student's path is from its expert's."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Literal

from torch import Tensor

from ddbench.recipe.settings import Part

Milestones = Callable[[int], Tensor]
"""``milestones(i)``: the expert's parameters (P,) i epochs after the span's start, on the student's device."""


def trajectory_matching_loss(end: Tensor, target: Tensor, begin: Tensor) -> Tensor:
    """Squared distance of the student from the expert's target, relative to the expert's own move.

    end, target, begin: flat parameters, (P,). Returns a scalar, unitless; 1.0 means no progress, more means away.
    Source: Cazenavette et al. 2022 (arXiv:2203.11932), matching loss. Differs: none.
    Errors: none here; nan or inf if begin equals target, so ``draw_span`` refuses such spans.
    """
    return (end - target).square().sum() / (begin - target).square().sum()


class Match(Part, abc.ABC):
    """A loss of the student's whole path."""

    @abc.abstractmethod
    def moments(self, inner_steps: int, expert_epochs: int) -> tuple[int, ...]:
        """After how many steps it looks at the student: first 0, the start, which the expert is taken to share, and
        last ``inner_steps``, the end."""

    @abc.abstractmethod
    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int) -> Tensor:
        """A scalar.

        Args:
            path: The student's parameters at those moments, (moments, P).
        """


class FinalMatch(Match):
    """Only where the student ends counts, against the expert's target. MTT, FTD, TESLA, DATM."""

    kind: Literal["final"] = "final"

    def moments(self, inner_steps: int, expert_epochs: int) -> tuple[int, ...]:
        del expert_epochs
        return 0, inner_steps

    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int) -> Tensor:
        return trajectory_matching_loss(path[-1], milestones(expert_epochs), path[0].detach())


class IntermediateMatch(Match):
    """The end, and on the way every epoch of the expert: after i * floor(N / M) steps the student is held to epoch i.

    Source: Shen et al. 2023 (AST, arXiv:2310.10541), released ``distill.py``, flags ``agg_middle_loss`` (weights
    "equal") and ``adaptive_middle_loss`` ("growing"). Differs: none.
    """

    kind: Literal["intermediate"] = "intermediate"
    weights: Literal["equal", "growing"] = "equal"
    """Of the terms i = 1, ..., M - 1: 1 each, or i / M. The last term, for the end, has weight 1."""

    def moments(self, inner_steps: int, expert_epochs: int) -> tuple[int, ...]:
        pace = inner_steps // expert_epochs
        return *(i * pace for i in range(expert_epochs)), inner_steps

    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int) -> Tensor:
        begin = path[0].detach()
        total = trajectory_matching_loss(path[-1], milestones(expert_epochs), begin)
        for i in range(1, expert_epochs):
            weight = 1.0 if self.weights == "equal" else i / expert_epochs
            total = total + weight * trajectory_matching_loss(path[i], milestones(i), begin)
        return total
