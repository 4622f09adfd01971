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

    Those of real images are computed class by class, those of the synthetic ones of several classes side by side
    (``torch.func.vmap``): their batches are small, and vectorized gradients keep twice as much.

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
        pairs = zip(real, labels, strict=True)
        wanted = torch.cat([class_gradient(network, theta, images, label) for images, label in pairs])
        if torch.is_grad_enabled() and len(labels) == 1:
            gradients = class_gradient(network, theta, synthetic[0], labels[0], differentiable=True)
        else:
            gradients = class_gradients(network, theta, synthetic, labels)
        return DISTANCES[self.distance](by_parameter(network, wanted), by_parameter(network, gradients))

    def bytes(self, sizes: Sizes, real: int, synthetic: int, classes: int) -> Estimate:
        """Estimate the peak memory; arguments as of :meth:`ClassMatch.bytes`."""
        twice = KEPT_PER_ACTIVATION + PASSING_PER_ACTIVATION
        passes = max(TRAINED_PER_ACTIVATION * real, twice * synthetic * classes)  # real images pass class by class
        gradients = 4 * classes  # real and synthetic ones, the derivative by the latter, and rows in passing
        return Estimate(
            {
                "batches": 4 * classes * _COPIES * sizes.pixels * (real + synthetic),
                "activations": 4 * passes * sizes.activations,
                "weights": 4 * (1 + gradients) * sizes.parameters,
            }
        )


def class_gradient(
    network: FlatNetwork, theta: Tensor, images: Tensor, label: int, *, differentiable: bool = False
) -> Tensor:
    """Compute the gradient of the mean cross-entropy of one class, by plain autograd.

    Args:
        network: The network.
        theta: Its parameters, (P,).
        images: Of the class, (B, C, H, W).
        label: The class.
        differentiable: Whether the gradient is differentiable by the images.

    Returns:
        (1, P).
    """
    with torch.enable_grad():
        point = theta.detach().requires_grad_()
        loss = F.cross_entropy(network(point, images), torch.full((len(images),), label, device=images.device))
        (gradient,) = torch.autograd.grad(loss, point, create_graph=differentiable)
    return gradient[None]


def class_gradients(network: FlatNetwork, theta: Tensor, images: Tensor, labels: Sequence[int]) -> Tensor:
    """Compute the gradient of the mean cross-entropy of several classes, side by side.

    Args:
        network: The network.
        theta: Its parameters, (P,).
        images: Of each class, (k, B, C, H, W), by which the gradients are differentiable.
        labels: The classes, k of them.

    Returns:
        (k, P).
    """

    def loss(point: Tensor, batch: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(network(point, batch), label.expand(len(batch)))

    targets = torch.tensor(labels, device=images.device)
    return vmap(grad(loss), in_dims=(None, 0, 0))(theta, images, targets)


def by_parameter(network: FlatNetwork, gradients: Tensor) -> Gradients:
    """Cut flat gradients into those of the parameters.

    Args:
        network: The network.
        gradients: Of k classes, (k, P).

    Returns:
        Views, one a parameter, (k, *shape).
    """
    parts = gradients.split([shape.numel() for shape in network.shapes], dim=1)
    return [part.view(len(part), *shape) for part, shape in zip(parts, network.shapes, strict=True)]


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
