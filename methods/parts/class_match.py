"""Matches of real and synthetic batches, class by class, under one network."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn import functional as F

from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import (
    KEPT_PER_ACTIVATION,
    PASSING_PER_ACTIVATION,
    STACKED,
    TESTED_PER_ACTIVATION,
    TRAINED_PER_ACTIVATION,
)
from ddbench.estimates.model_size import Sizes
from ddbench.networks.flat import FlatNetwork
from ddbench.recipe.settings import Part

EPS = 1e-6
"""Added to products of norms."""

_COPIES = 2
"""Of a batch: as it was drawn, and as it is augmented."""

Gradients = Sequence[Tensor]
"""Gradients by the parameters of a network, one tensor a parameter, (k, *shape): of k classes side by side."""


class ClassMatch(Part, abc.ABC):
    """A distance between the real and the synthetic images of each class, summed over classes."""

    apart: ClassVar[bool]
    """Whether classes pass the network one by one, so that batch norm sees the images of one class alone."""

    @abc.abstractmethod
    def loss(
        self, network: FlatNetwork, theta: Tensor, real: Sequence[Tensor], synthetic: Tensor, labels: Sequence[int]
    ) -> Tensor:
        """Compute the sum over k classes.

        Args:
            network: The network.
            theta: Its parameters, (P,), constants.
            real: Images of each class, (n, C, H, W), n of each its own; constants.
            synthetic: Images of the same classes, (k, ipc, C, H, W), by which the loss is differentiable.
            labels: The classes, k of them.

        Returns:
            A scalar.
        """

    @abc.abstractmethod
    def bytes(self, sizes: Sizes, real: int, synthetic: int, classes: int) -> Estimate:
        """Estimate the peak memory of one such sum and its derivative, for float32.

        Args:
            sizes: Sizes of network and data.
            real: Real images of a class.
            synthetic: Synthetic images of a class.
            classes: Classes that are summed.

        Returns:
            Bytes of the real images, the activations and the weights.
        """


class MeanEmbedding(ClassMatch):
    """Mean embeddings: the squared distance between what the last linear layer sees of real and synthetic images.

    Source: Zhao and Bilen 2023 (DM, arXiv:2110.04181), released ``main_DM.py``. Differs: with batch norm, classes may
    have fewer real images than a batch.
    """

    kind: Literal["mean-embedding"] = "mean-embedding"
    apart: ClassVar[bool] = False

    def loss(
        self, network: FlatNetwork, theta: Tensor, real: Sequence[Tensor], synthetic: Tensor, labels: Sequence[int]
    ) -> Tensor:
        """Compute the sum over k classes; arguments as of :meth:`ClassMatch.loss`."""
        del labels
        with torch.no_grad():
            embedded = network.embed(theta, torch.cat(list(real))).split([len(images) for images in real])
            wanted = torch.stack([of_class.mean(0) for of_class in embedded])
        means = network.embed(theta, synthetic.flatten(0, 1)).unflatten(0, synthetic.shape[:2]).mean(1)
        return (wanted - means).square().sum()

    def bytes(self, sizes: Sizes, real: int, synthetic: int, classes: int) -> Estimate:
        """Estimate the peak memory; arguments as of :meth:`ClassMatch.bytes`."""
        passes = max(TESTED_PER_ACTIVATION * real, TRAINED_PER_ACTIVATION * synthetic)
        return Estimate(
            {
                "batches": 4 * classes * _COPIES * sizes.pixels * (real + synthetic),
                "activations": 4 * classes * passes * sizes.activations,
                "weights": 4 * sizes.parameters,
            }
        )


class GradientMatch(ClassMatch):
    """Gradients of the cross-entropy by the parameters, of real and of synthetic images of a class.

    Source: Zhao et al. 2021 (DC, arXiv:2006.05929), released ``utils.py``. Differs: none.
    """

    kind: Literal["gradient"] = "gradient"
    apart: ClassVar[bool] = True
    distance: Literal["cosine-rows", "mse", "cos"] = "cosine-rows"
    """cosine-rows: one minus the cosine, summed over the output channels of every layer, biases and norms left out;
    mse: squared distance of all; cos: one minus the cosine of all."""

    def loss(
        self, network: FlatNetwork, theta: Tensor, real: Sequence[Tensor], synthetic: Tensor, labels: Sequence[int]
    ) -> Tensor:
        """Compute the sum over k classes; arguments as of :meth:`ClassMatch.loss`."""
        batch, weights = padded(real)
        wanted = class_gradients(network, theta, batch, labels, weights)
        even = torch.full(synthetic.shape[:2], 1 / synthetic.shape[1], dtype=theta.dtype, device=theta.device)
        gradients = class_gradients(network, theta, synthetic, labels, even, differentiable=torch.is_grad_enabled())
        return DISTANCES[self.distance](wanted, gradients)

    def bytes(self, sizes: Sizes, real: int, synthetic: int, classes: int) -> Estimate:
        """Estimate the peak memory; arguments as of :meth:`ClassMatch.bytes`."""
        twice = KEPT_PER_ACTIVATION + PASSING_PER_ACTIVATION
        passes = max(TRAINED_PER_ACTIVATION * real, twice * synthetic) * (STACKED if classes > 1 else 1)
        gradients = 4 * classes  # real and synthetic ones, the derivative by the latter, and rows in passing
        return Estimate(
            {
                "batches": 4 * classes * _COPIES * sizes.pixels * (real + synthetic),
                "activations": 4 * classes * passes * sizes.activations,
                "weights": 4 * (1 + gradients) * sizes.parameters,
            }
        )


def padded(batches: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Put batches of different lengths side by side.

    Args:
        batches: k batches, (n, ...), n of each its own.

    Returns:
        (k, N, ...), N the longest, where shorter ones are filled up with their first image; and the weight of each
        image in the mean over its batch, (k, N), zero for what is filled up.
    """
    longest = max(len(batch) for batch in batches)
    filled = [torch.cat([batch, batch[:1].expand(longest - len(batch), *batch.shape[1:])]) for batch in batches]
    lengths = torch.tensor([len(batch) for batch in batches], device=filled[0].device)[:, None]
    present = torch.arange(longest, device=lengths.device) < lengths
    return torch.stack(filled), present.to(filled[0].dtype) / lengths


def class_gradients(
    network: FlatNetwork,
    theta: Tensor,
    images: Tensor,
    labels: Sequence[int],
    weights: Tensor,
    *,
    differentiable: bool = False,
) -> Gradients:
    """Compute the gradient of the mean cross-entropy of each class by the parameters.

    Several classes go side by side (``torch.func.vmap``), one by plain autograd, which is faster on a CPU.

    Args:
        network: The network.
        theta: Its parameters, (P,).
        images: (k, B, C, H, W).
        labels: The classes, k of them.
        weights: Of each image in the mean over its class, (k, B).
        differentiable: Whether the gradients are differentiable by the images.

    Returns:
        One tensor a parameter, (k, *shape).
    """

    def loss(point: Tensor, batch: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        logits = network(point, batch)
        return (weight * F.cross_entropy(logits, label.expand(len(logits)), reduction="none")).sum()

    targets = torch.tensor(labels, device=images.device)
    with torch.set_grad_enabled(differentiable):
        if len(images) > 1:
            flat = vmap(grad(loss), in_dims=(None, 0, 0, 0))(theta, images, targets, weights)
        else:
            with torch.enable_grad():
                point = theta.detach().requires_grad_()
                whole = loss(point, images[0], targets[0], weights[0])
                (single,) = torch.autograd.grad(whole, point, create_graph=differentiable)
            flat = single[None]
    sizes = [shape.numel() for shape in network.shapes]
    parts = flat.split(sizes, dim=1)
    return [part.view(len(images), *shape) for part, shape in zip(parts, network.shapes, strict=True)]


def cosine_rows(one: Gradients, other: Gradients) -> Tensor:
    """Sum one minus the cosine over rows: output channels of a layer, channels of a layer norm.

    Tensors of one dimension, biases and most norms, count nothing. A row of zeros counts 1.

    Args:
        one: Gradients by parameter, (k, *shape).
        other: The same.

    Returns:
        The sum over rows, tensors and classes, a scalar.
    """
    rows = [(_rows(a), _rows(b)) for a, b in zip(one, other, strict=True) if a.ndim > 2]
    return torch.stack([_one_minus_cosine(a, b) for a, b in rows]).sum()


def _rows(gradient: Tensor) -> Tensor:
    """The rows of a gradient (k, *shape): the first dimension of the shape counts them, the others lie along them."""
    return gradient.flatten(2)


def squared_distance(one: Gradients, other: Gradients) -> Tensor:
    """Sum the squared distance over all tensors and classes.

    Args:
        one: Gradients by parameter, (k, *shape).
        other: The same.

    Returns:
        A scalar.
    """
    return torch.stack([(a - b).square().sum() for a, b in zip(one, other, strict=True)]).sum()


def cosine(one: Gradients, other: Gradients) -> Tensor:
    """Sum one minus the cosine of whole gradients over classes.

    Args:
        one: Gradients by parameter, (k, *shape).
        other: The same.

    Returns:
        A scalar.
    """
    return _one_minus_cosine(*(torch.cat([part.flatten(1) for part in whole], 1) for whole in (one, other)))


def _one_minus_cosine(one: Tensor, other: Tensor) -> Tensor:
    """Summed over all but the last dimension, along which vectors lie."""
    return (1 - (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1) + EPS)).sum()


DISTANCES: dict[str, Callable[[Gradients, Gradients], Tensor]] = {
    "cosine-rows": cosine_rows,
    "mse": squared_distance,
    "cos": cosine,
}
"""Distances of gradients by name."""
