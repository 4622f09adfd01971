"""Segments of experts: which epochs of which expert an outer step matches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.distillation.task import OuterStep, Trajectories
from ddbench.errors import UserError
from ddbench.randomness import stream
from ddbench.recipe.settings import Count, Settings


class Growth(Settings):
    """A window of start epochs that begins narrow, with the easy early epochs, and takes in later ones as it goes.

    Source: Guo et al. 2024 (DATM, arXiv:2310.05773), released configs: ``current_max_start_epoch`` and
    ``expansion_end_epoch``, which counts outer steps, not epochs.
    """

    first: Count
    """T: the upper end of the window, excluded, at outer step 0."""
    steps: Count
    """E: the outer step at which the upper end reaches max_start_epoch."""


@dataclass(frozen=True)
class StartWindow:
    """Window of start epochs: they are drawn from [lowest, upper(step)), fixed at ``highest``, or growing up to it."""

    lowest: int
    """Lowest start epoch, T-."""
    highest: int
    """Upper end, T+, excluded."""
    growth: Growth | None = None
    """How the upper end grows up to ``highest``; None where it is fixed."""

    def upper(self, step: int) -> int:
        """Compute the upper end of the window: U(step) = min(T+, T + floor((T+ - T) * step / E)).

        Args:
            step: Outer step, from 0.

        Returns:
            The epoch, excluded from the window.
        """
        if self.growth is None:
            return self.highest
        first = self.growth.first
        return min(self.highest, first + (self.highest - first) * step // self.growth.steps)


@dataclass(frozen=True)
class Span:
    """A stretch of one expert, from its start epoch on; all parameters are (P,), on the CPU."""

    experts: Trajectories
    """All experts."""
    expert: int
    """Number of the expert, from 0."""
    start_epoch: int
    """Epoch at which the span begins."""

    @property
    def begin(self) -> Tensor:
        """Parameters at the start, (P,)."""
        return self.after(0)

    def after(self, epochs: int) -> Tensor:
        """Read the expert's parameters some epochs after the start.

        Args:
            epochs: Epochs, from 0.

        Returns:
            (P,), on the CPU.
        """
        return self.experts[self.expert, self.start_epoch + epochs]


def expert_of_step(step: OuterStep, experts: int) -> int:
    """Choose the expert of a step: all are used once, in an order drawn anew for each pass over them.

    Args:
        step: The step.
        experts: Number of experts.

    Returns:
        Number of the expert.
    """
    turn, position = divmod(step.number, experts)
    return int(torch.randperm(experts, generator=stream(step.seed, "expert order", turn))[position])


def draw_span(experts: Trajectories, step: OuterStep, window: StartWindow, expert_epochs: int) -> Span:
    """Draw the span of a step: the expert whose turn it is, and a start epoch uniform in the window.

    Args:
        experts: The experts.
        step: The step, with its streams of randomness.
        window: Window of start epochs.
        expert_epochs: Epochs of the span, M.

    Returns:
        The span.

    Raises:
        UserError: The experts are shorter than window and span need; or the expert stands still over the span, so that
            no distance can be relative to its move.
    """
    needed = window.highest - 1 + expert_epochs
    if needed > experts.epochs:
        raise UserError(
            f"the span reaches past the last epoch: {needed} epochs are needed, the experts have {experts.epochs}",
            fix=f"train more (ddbench buffer RECIPE -o experts.epochs={needed}), or lower max_start_epoch",
        )
    expert = expert_of_step(step, len(experts))
    start_epoch = int(torch.randint(window.lowest, window.upper(step.number), (), generator=step.stream("span")))
    span = Span(experts, expert, start_epoch)
    if torch.equal(span.begin, span.after(expert_epochs)):
        raise UserError(
            f"expert {expert} does not move between epochs {start_epoch} and {start_epoch + expert_epochs}",
            fix="train the experts anew with a larger experts.lr, or lower max_start_epoch",
        )
    return span
