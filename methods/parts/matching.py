"""Matching losses: how far a student's path is from its expert's."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from pydantic import SerializerFunctionWrapHandler, model_serializer
from torch import Tensor

from ddbench.methods.parts.keep import Keep
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

    def steps(self, path: Iterable[Tensor], milestones: Milestones, inner_steps: int, expert_epochs: int) -> int:
        """Choose how many steps of the student count.

        Args:
            path: Student parameters (P,) after steps 1, ..., N, without gradients; each step is taken as it is read.
            milestones: Reads the expert's parameters (P,) some epochs after the start.
            inner_steps: Steps of the student, N.
            expert_epochs: Epochs of the expert, M.

        Returns:
            Steps, from 1 to N; all of them, unless a match says otherwise.
        """
        del path, milestones, expert_epochs
        return inner_steps

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
    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int, shapes: Sequence[torch.Size]) -> Tensor:
        """Compute the loss of a path.

        Args:
            path: Student parameters at those moments, (moments, P).
            milestones: Reads the expert's parameters (P,) some epochs after the start.
            expert_epochs: Epochs of the expert, M.
            shapes: Shapes of the network's tensors, in order.

        Returns:
            A scalar.
        """


class EndMatch(Match, abc.ABC):
    """Only where the student ends counts, against the expert's target."""

    keep: Keep | None = None
    """Which parameters count (PAD); None: all of them."""

    @model_serializer(mode="wrap")
    def _as_before_keep(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Settings without ``keep`` where it is None: the identities of runs and rows are made of them."""
        settings = handler(self)
        return {name: value for name, value in settings.items() if name != "keep" or value is not None}

    def moments(self, inner_steps: int, expert_epochs: int) -> tuple[int, ...]:
        del expert_epochs
        return 0, inner_steps

    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int, shapes: Sequence[torch.Size]) -> Tensor:
        end, target, begin = path[-1], milestones(expert_epochs), path[0].detach()
        misfit = (end - target).square()
        counted = None if self.keep is None else self.keep.counted(misfit, shapes)
        if counted is None:
            return trajectory_matching_loss(end, target, begin)
        return misfit.where(counted, 0).sum() / (begin - target).square().where(counted, 0).sum()


class FinalMatch(EndMatch):
    """Only where the student ends counts, after all its steps. MTT, FTD, TESLA, DATM, PAD."""

    kind: Literal["final"] = "final"


class ClosestMatch(EndMatch):
    """Only where the student comes closest to the expert's target counts; steps after that carry no gradient. ATT.

    Distances are sums of absolute differences; among equals the later step counts. A first walk without gradients finds
    the step, a second one, which is differentiated, ends there: memory is that of the final match, and time that of its
    steps as far as the closest, plus N steps forward. Where no distance is a number the path keeps all its steps, and
    its loss, not a number either, is for the guard.

    Source: Liu et al. 2024 (ATT), released ``distill_ATT.py``. Differs: distances of 10,000 and more count as well,
    where the released code goes on with the step of the iteration before; no graph of the later steps is made.
    """

    kind: Literal["closest"] = "closest"

    def steps(self, path: Iterable[Tensor], milestones: Milestones, inner_steps: int, expert_epochs: int) -> int:
        target, closest, chosen = milestones(expert_epochs), math.inf, inner_steps
        distances = torch.stack([(theta - target).abs().sum() for theta in path])
        for step, distance in enumerate(distances.tolist(), start=1):
            if distance <= closest:
                closest, chosen = distance, step
        return chosen


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

    def loss(self, path: Tensor, milestones: Milestones, expert_epochs: int, shapes: Sequence[torch.Size]) -> Tensor:
        del shapes
        begin = path[0].detach()
        total = trajectory_matching_loss(path[-1], milestones(expert_epochs), begin)
        for i in range(1, expert_epochs):
            weight = 1.0 if self.weights == "equal" else i / expert_epochs
            total = total + weight * trajectory_matching_loss(path[i], milestones(i), begin)
        return total
