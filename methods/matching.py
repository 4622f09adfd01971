"""Matching losses: how far a student's path is from its expert's."""

from torch import Tensor


def trajectory_matching_loss(end: Tensor, target: Tensor, begin: Tensor) -> Tensor:
    """Squared distance of the student from the expert's target, relative to the expert's own move.

    end, target, begin: flat parameters, (P,). Returns a scalar, unitless; 1.0 means no progress, more means away.
    Source: Cazenavette et al. 2022 (arXiv:2203.11932), matching loss. Differs: none.
    Errors: none here; nan or inf if begin equals target, so ``draw_span`` refuses such spans.
    """
    return (end - target).square().sum() / (begin - target).square().sum()
