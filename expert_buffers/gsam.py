"""Experts by GSAM: SGD along a direction that lowers the loss and the gap to the loss nearby, for flat paths."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor

from ddbench.expert_buffers.sgd import SgdBased
from ddbench.recipe.experts import GsamExperts

_EPSILON = 1e-12


@final
class Gsam(SgdBased[GsamExperts]):
    """Two gradients a batch, g at the weights and gp at the perturbed ones: the experts of FTD and DATM.

    Loss and logits are those of the first pass, and batch norm's running statistics follow it alone. SGD takes
    ``gap_direction(g, gp, alpha)`` for the gradient, so momentum and weight decay work on that.
    Source: Zhuang et al. 2022 (arXiv:2203.08065), as in FTD's released ``buffer_FTD.py``. Differs: rho is a constant,
    as it is there in effect; see also :func:`gap_direction`.
    """

    def update(self, inputs: Tensor, labels: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
        del originals
        settings, each = self.settings, self.trainable.each
        logits = self.trainable.logits(inputs)
        losses = self.losses(logits, labels)
        found = torch.autograd.grad(losses.sum(), self.parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            weights, gradient = self._flat(self.parameters), self._flat(found)
            ascent = each(partial(perturbation, rho=settings.rho, adaptive=settings.adaptive))
            moved = weights + ascent(weights, gradient)
        moved.requires_grad_()
        nearby = self.trainable.functional_logits(
            dict(zip(self.trainable.parameters, self._shaped(moved), strict=True)), inputs
        )
        (perturbed,) = torch.autograd.grad(self.losses(nearby, labels).sum(), moved)
        direction = each(partial(gap_direction, alpha=settings.alpha))(gradient, perturbed)
        for parameter, part in zip(self.parameters, self._shaped(direction), strict=True):
            parameter.grad = part
        self.optimizer.step()
        return losses.detach(), logits.detach()

    def _flat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Tensors of the parameters' shapes as one vector: (P,), or (k, P) of several networks."""
        return self.trainable.each(lambda *parts: torch.cat([part.reshape(-1) for part in parts]))(*tensors)

    def _shaped(self, vector: Tensor) -> list[Tensor]:
        """Such a vector in the shapes of the parameters."""
        networks = vector.shape[:-1].numel()
        parts = vector.split([parameter.numel() // networks for parameter in self.parameters], dim=-1)
        return [part.reshape(parameter.shape) for part, parameter in zip(parts, self.parameters, strict=True)]


def perturbation(weights: Tensor, gradient: Tensor, rho: float, adaptive: bool) -> Tensor:
    """The way to the weights nearby at which the loss is about the highest:

    (P,), zero where the gradient is.

    Args:
        weights: (P,), of all parameters together.
        gradient: (P,), of all parameters together.
        rho: Length, in units of each weight where ``adaptive``.
        adaptive: Kwon et al. 2021 (arXiv:2102.11600).

    Source: Foret et al. 2021 (arXiv:2010.01412);

    Differs: none.
    """
    if not adaptive:
        return gradient * (rho / (gradient.norm() + _EPSILON))
    return weights.square() * gradient * (rho / ((weights.abs() * gradient).norm() + _EPSILON))


def gap_direction(gradient: Tensor, perturbed: Tensor, alpha: float) -> Tensor:
    """The perturbed gradient, less ``alpha`` times the part of the gradient that is orthogonal to it: (P,).

    Source: Zhuang et al. 2022 (arXiv:2203.08065), equation of the update. Differs: the projection has no epsilon in
    its norms, so the part left is orthogonal, and none where both are equal, also for gradients as small as that.
    """
    unit = perturbed / perturbed.norm().clamp(min=torch.finfo(perturbed.dtype).tiny)
    return perturbed - alpha * (gradient - (gradient @ unit) * unit)
