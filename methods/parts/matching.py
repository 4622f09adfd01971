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
    """Measure the squared distance of the student from the expert's target, relative to the expert's own move.

    ``draw_span`` refuses spans in which begin equals target; here they would give nan or inf.

    Args:
        end: Student parameters after N steps, (P,).
        target: Expert parameters to reach, (P,).
        begin: Where both started, (P,).

    Returns:
        Scalar without unit; 1.0 means no progress, more means away.

    Source: Cazenavette et al. 2022 (arXiv:2203.11932), matching loss. Differs: none.
    """
    return (end - target).square().sum() / (begin - target).square().sum()


class Match(Part, abc.ABC):
    """A loss of the student's whole path."""

    @abc.abstractmethod
    def moments(self, inner_steps: int, expert_epochs: int) -> tuple[int, ...]:
        """Choose the states of the student that the loss looks at.

        Args:
            inner_steps: Steps of the student, N.
            expert_epochs: Epochs of the expert, M.

        Returns:
            Numbers of steps: first 0, the start, which the expert is taken to share; last N, the end.
        """

    @abc.abstractmethod
    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int) -> Tensor:
        """Compute the loss of a path.

        Args:
            path: Student parameters at those moments, (moments, P).
            milestones: Reads the expert's parameters (P,) some epochs after the start.
            expert_epochs: Epochs of the expert, M.

        Returns:
            A scalar.
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
