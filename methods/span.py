"""Which stretch of which expert is matched at an outer step."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.method import OuterStep, Trajectories
from ddbench.randomness import stream


def expert_of_step(at: OuterStep, experts: int) -> int:
    """The expert of this step: all are used once, in an order drawn anew for each pass over them."""
    turn, position = divmod(at.step, experts)
    return int(torch.randperm(experts, generator=stream(at.seed, "expert order", turn))[position])


def draw_span(
    experts: Trajectories, at: OuterStep, min_start_epoch: int, max_start_epoch: int, expert_epochs: int
) -> tuple[int, Tensor, Tensor]:
    """A start epoch, uniform in [min_start_epoch, max_start_epoch), and the parameters at its start and target.

    Returns (start_epoch, theta_start (P,), theta_target (P,)), on the CPU.
    Errors: UserError when the expert stood still over the span, so that no distance can be relative to its move.
    """
    expert = expert_of_step(at, len(experts))
    start_epoch = int(torch.randint(min_start_epoch, max_start_epoch, (), generator=at.stream("span")))
    start, target = experts[expert, start_epoch], experts[expert, start_epoch + expert_epochs]
    if torch.equal(start, target):
        raise UserError(
            f"expert {expert} does not move between epochs {start_epoch} and {start_epoch + expert_epochs}",
            fix="train the experts anew with a larger experts.lr, or lower max_start_epoch",
        )
    return start_epoch, start, target
