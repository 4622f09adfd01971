"""Experts by GSAM: SGD along a direction that lowers the loss and the gap to the loss nearby, for flat paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor

from ddbench.recipe.experts import GsamExperts
from ddbench.training.loop import B, ScheduledOptimizer
from ddbench.training.model_stack import Trainable

_EPSILON = 1e-12


@final
@dataclass(frozen=True)
class GsamStep:
    """Two gradients a batch, g at the weights and gp at the perturbed ones: the experts of FTD and DATM.

    Loss and logits are those of the first pass, and batch norm's running statistics follow it alone. SGD takes
    ``gap_direction(g, gp, alpha)`` for the gradient, so momentum and weight decay work on that.
    Source: Zhuang et al. 2022 (arXiv:2203.08065), as in FTD's released ``buffer_FTD.py``. Differs: rho is a constant,
    as it is there in effect; see also :func:`gap_direction`.
    """

    settings: GsamExperts
    """Length of the perturbation, weight of the gap, and whether it adapts."""

    def __call__(self, training: ScheduledOptimizer[B], batch: B) -> tuple[Tensor, Tensor]:
        """Step on a batch; see ``ddbench.training.loop.Step``."""
        trainable, settings = training.trainable, self.settings
        parameters = list(trainable.parameters.values())
        logits = trainable.logits(batch.inputs)
        losses = batch.criterion(logits)
        gradients = torch.autograd.grad(losses.sum(), parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            weights, gradient = _flat(trainable, parameters), _flat(trainable, gradients)
            ascent = trainable.each(partial(perturbation, rho=settings.rho, adaptive=settings.adaptive))
            moved = weights + ascent(weights, gradient)
        moved.requires_grad_()
        nearby = dict(zip(trainable.parameters, _shaped(moved, parameters), strict=True))
        perturbed_losses = batch.criterion(trainable.functional_logits(nearby, batch.inputs))
        (perturbed,) = torch.autograd.grad(perturbed_losses.sum(), moved)
        direction = trainable.each(partial(gap_direction, alpha=settings.alpha))(gradient, perturbed)
        for parameter, part in zip(parameters, _shaped(direction, parameters), strict=True):
            parameter.grad = part
        training.optimizer.step()
        return losses.detach(), logits.detach()


def _flat(trainable: Trainable, tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of the parameters' shapes as one vector: (P,), or (k, P) of several networks."""
    return trainable.each(lambda *parts: torch.cat([part.reshape(-1) for part in parts]))(*tensors)


def _shaped(vector: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Such a vector in the shapes of the parameters."""
    networks = vector.shape[:-1].numel()
    parts = vector.split([parameter.numel() // networks for parameter in parameters], dim=-1)
    return [part.reshape(parameter.shape) for part, parameter in zip(parts, parameters, strict=True)]


def perturbation(weights: Tensor, gradient: Tensor, rho: float, adaptive: bool) -> Tensor:
    """Compute the move to the weights nearby at which the loss is about the highest.

    Args:
        weights: (P,), of all parameters together.
        gradient: (P,), of all parameters together.
        rho: Length, in units of each weight where ``adaptive``.
        adaptive: Whether it is scaled by the weights: Kwon et al. 2021 (arXiv:2102.11600).

    Returns:
        (P,), zero where the gradient is.

    Source: Foret et al. 2021 (arXiv:2010.01412). Differs: none.
    """
    if not adaptive:
        return gradient * (rho / (gradient.norm() + _EPSILON))
    return weights.square() * gradient * (rho / ((weights.abs() * gradient).norm() + _EPSILON))


def gap_direction(gradient: Tensor, perturbed: Tensor, alpha: float) -> Tensor:
    """Subtract from the perturbed gradient ``alpha`` times the part of the gradient that is orthogonal to it.

    Args:
        gradient: Gradient at the weights, (P,).
        perturbed: Gradient at the perturbed weights, (P,).
        alpha: Weight of the gap to the loss nearby.

    Returns:
        The direction that SGD takes for the gradient, (P,).

    Source: Zhuang et al. 2022 (arXiv:2203.08065), equation of the update. Differs: the projection has no epsilon in
    its norms, so the part left is orthogonal, and none where both are equal, also for gradients as small as that.
    """
    unit = perturbed / perturbed.norm().clamp(min=torch.finfo(perturbed.dtype).tiny)
    return perturbed - alpha * (gradient - (gradient @ unit) * unit)
