"""The ConvNet family: blocks of convolution, norm, activation and pooling, and a linear layer."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ddbench.errors import UserError
from ddbench.networks.image_network import ImageNetwork, channel_norm, stem_padding
from ddbench.networks.names import ConvNetSpec

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "leakyrelu": lambda: nn.LeakyReLU(0.01),
}
_POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "maxpool": lambda: nn.MaxPool2d(2),
    "avgpool": lambda: nn.AvgPool2d(2),
}


def convnet(spec: ConvNetSpec, *, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build a ConvNet with PyTorch's default initialization, drawn from the default generator.

    Maps are (width, side, side), side halved by every block that pools; 28-pixel images fill 32 by padding.

    Args:
        spec: Axes of the family.
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: The map would vanish before the last block.

    Source: Gidaris and Komodakis 2018, as used by Zhao et al. 2021 (arXiv:2006.05929) and all that follow.
    """
    side = 32 if size == 28 else size
    deepest = side.bit_length() - 1
    if spec.pooling != "nopool" and spec.depth > deepest:
        raise UserError(
            f"network {spec.name!r} is too deep for {size}-pixel images",
            f"why   every block halves the image: after {deepest} of {spec.depth} blocks one pixel is left",
            fix=f"choose depth d{deepest} or less, or nopool" if deepest else "choose nopool, or larger images",
        )
    layers: list[nn.Module] = []
    entering = channels
    for block in range(spec.depth):
        layers.append(nn.Conv2d(entering, spec.width, 3, padding=1 if block else stem_padding(1, size)))
        layers.extend(_norm(spec, side))
        layers.append(_ACTIVATIONS[spec.activation]())
        if spec.pooling != "nopool":
            layers.append(_POOLINGS[spec.pooling]())
            side //= 2
        entering = spec.width
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(spec.width * side * side, classes))


def _norm(spec: ConvNetSpec, side: int) -> list[nn.Module]:
    if spec.norm == "nonorm":
        return []
    if spec.norm == "ln":
        return [nn.LayerNorm([spec.width, side, side])]
    if spec.norm == "gn":
        return [nn.GroupNorm(4, spec.width)]
    return [channel_norm(spec.norm, spec.width)]
