"""Experts by SGD whose early epochs count less and whose logits vary evenly with the pixels: smooth paths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.func import grad

from ddbench.expert_buffers.batches import ExpertBatch
from ddbench.recipe.experts import SmoothExperts
from ddbench.training.forward_pass import Logits, Tensors
from ddbench.training.loop import ScheduledOptimizer
from ddbench.training.model_stack import SingleModel, Trainable

NormOver = Literal["channel", "sample"]


@final
@dataclass(frozen=True)
class SmoothStep:
    """Along the gradient of ``clip[epoch] * cross-entropy + penalty * gradient_penalty``: the experts of AST.

    The cross-entropy is of the images as augmented, the penalty of the images as they are; batch norm's running
    statistics follow the former alone. The loss returned is the cross-entropy, neither scaled nor with the penalty, so
    that curves compare between kinds of experts. A penalty of weight 0 is not computed.
    Source: Shen et al. 2023 (arXiv:2310.10541), released ``buffer.py``. Differs: none.
    """

    settings: SmoothExperts
    """Factors of the first epochs, and weight and norm of the penalty."""

    def __call__(self, training: ScheduledOptimizer[ExpertBatch], batch: ExpertBatch) -> tuple[Tensor, Tensor]:
        """Step on a batch; see ``ddbench.training.loop.Step``."""
        settings, epoch = self.settings, training.epoch
        training.optimizer.zero_grad(set_to_none=True)
        logits = training.trainable.logits(batch.inputs)
        losses = batch.criterion(logits)
        total = losses * (settings.clip[epoch] if epoch < len(settings.clip) else 1.0)
        if settings.penalty:
            total = total + settings.penalty * penalties(training.trainable, batch.originals, settings.norm_over)
        total.sum().backward()
        training.optimizer.step()
        return losses.detach(), logits.detach()


def penalties(trainable: Trainable, images: Tensor, norm_over: NormOver) -> Tensor:
    """Compute :func:`gradient_penalty` of networks in training.

    Args:
        trainable: One network, or k of one architecture.
        images: Images without augmentation, (B, C, H, W); of k networks (k, B, C, H, W).
        norm_over: As in :func:`gradient_penalty`.

    Returns:
        Scalar of one network; of several the penalty of each, (k,).
    """
    if trainable.forward is None:
        images = images.detach().requires_grad_()
        (slope,) = torch.autograd.grad(
            trainable.functional_logits(trainable.parameters, images).sum(), images, create_graph=True
        )
        return _unevenness(slope, norm_over)
    slopes = trainable.forward.also("slopes by the images", _slopes)(trainable.parameters, trainable.buffers, images)
    return trainable.each(partial(_unevenness, norm_over=norm_over))(slopes)


def gradient_penalty(network: nn.Module, images: Tensor, norm_over: NormOver) -> Tensor:
    """Compute the mean of (norm - 1)^2, the norm that of the gradient of all logits' sum by the images.

    Differentiable in the parameters, once; where a gradient by the images is exactly zero, its norm adds nothing to
    that. Costs a forward, a backward, and the backward of both.

    Args:
        network: Network that is penalized.
        images: (B, C, H, W).
        norm_over: "channel" takes a norm over the channels of each pixel, B * H * W of them, and "sample" one over all
            of each image, B of them.

    Returns:
        Scalar without unit.

    Source: Shen et al. 2023 (arXiv:2310.10541), released code; "sample": Gulrajani et al. 2017 (arXiv:1704.00028).
    """
    return penalties(SingleModel(network), images, norm_over)


def _slopes(logits: Logits) -> Logits:
    """The gradient of all logits' sum by the images, (B, C, H, W), which leaves running statistics as they are."""

    def slopes(parameters: Tensors, buffers: Tensors, images: Tensor) -> Tensor:
        def summed(seen: Tensor) -> Tensor:
            unmoved = {name: buffer.clone() for name, buffer in buffers.items()}
            return logits(parameters, unmoved, seen).sum()

        return grad(summed)(images)

    return slopes


def _unevenness(slope: Tensor, norm_over: NormOver) -> Tensor:
    norms = torch.linalg.vector_norm(slope, dim=1 if norm_over == "channel" else (1, 2, 3))
    return (norms - 1).square().mean()
