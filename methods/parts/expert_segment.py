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
    """Start epochs are drawn from [lowest, upper(step)): fixed at ``highest``, or growing up to it."""

    lowest: int
    highest: int
    growth: Growth | None = None

    def upper(self, step: int) -> int:
        """U(step) = min(T+, T + floor((T+ - T) * step / E)), excluded from the window."""
        if self.growth is None:
            return self.highest
        first = self.growth.first
        return min(self.highest, first + (self.highest - first) * step // self.growth.steps)


@dataclass(frozen=True)
class Span:
    """A stretch of one expert: the parameters at its start, and a number of epochs later. All (P,), on the CPU."""

    experts: Trajectories
    expert: int
    start_epoch: int

    @property
    def begin(self) -> Tensor:
        return self.after(0)

    def after(self, epochs: int) -> Tensor:
        """The expert's parameters ``epochs`` epochs after the start."""
        return self.experts[self.expert, self.start_epoch + epochs]


def expert_of_step(at: OuterStep, experts: int) -> int:
    """The expert of this step: all are used once, in an order drawn anew for each pass over them."""
    turn, position = divmod(at.step, experts)
    return int(torch.randperm(experts, generator=stream(at.seed, "expert order", turn))[position])


def draw_span(experts: Trajectories, at: OuterStep, window: StartWindow, expert_epochs: int) -> Span:
    """The span of this step: its expert's turn, and a start epoch uniform in the window.

    Raises:
        UserError: The experts are shorter than window and span need, and when the expert stood still over the span, so
            that no distance can be relative to its move.
    """
    needed = window.highest - 1 + expert_epochs
    if needed > experts.epochs:
        raise UserError(
            f"the span reaches past the last epoch: {needed} epochs are needed, the experts have {experts.epochs}",
            fix=f"train more (ddbench buffer RECIPE -o experts.epochs={needed}), or lower max_start_epoch",
        )
    expert = expert_of_step(at, len(experts))
    start_epoch = int(torch.randint(window.lowest, window.upper(at.step), (), generator=at.stream("span")))
    span = Span(experts, expert, start_epoch)
    if torch.equal(span.begin, span.after(expert_epochs)):
        raise UserError(
            f"expert {expert} does not move between epochs {start_epoch} and {start_epoch + expert_epochs}",
            fix="train the experts anew with a larger experts.lr, or lower max_start_epoch",
        )
    return span
