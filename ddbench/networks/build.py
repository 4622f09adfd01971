"""A network from its name and a seed, and the table of what there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from ddbench.errors import UserError
from ddbench.networks.cell import cell_network
from ddbench.networks.cell_names import is_cell_name, parse_cell
from ddbench.networks.classic import alexnet, lenet, mlp, vgg11
from ddbench.networks.convnet import convnet
from ddbench.networks.image_shape import ImageShape
from ddbench.networks.inverted import efficientnet_b0_cifar, mobilenet_v2_cifar
from ddbench.networks.names import FIXED, OUTSIDE, canonical_network_name, network_names, parse_convnet, split_outside
from ddbench.networks.outside import build_outside
from ddbench.networks.resnet import resnet18
from ddbench.networks.resnet10 import resnet10
from ddbench.networks.shuffle import shufflenet_g2_cifar
from ddbench.networks.small_stem import (
    densenet_cifar,
    efficientnet_b0,
    mobilenet_v2,
    resnet18_cifar,
    resnet_bottleneck,
    shufflenet_v2,
)
from ddbench.randomness import derive, isolated

_FIXED: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "lenet": lenet,
    "alexnet": alexnet,
    "alexnet-bn": partial(alexnet, norm="bn"),
    "vgg11": vgg11,
    "vgg11-bn": partial(vgg11, norm="bn"),
    "resnet18": resnet18,
    "resnet18-bn": partial(resnet18, norm="bn"),
    "resnet18-ap": partial(resnet18, pooled=True),
    "resnet18-ap-bn": partial(resnet18, norm="bn", pooled=True),
    "resnet10-bn": partial(resnet10, norm="bn"),
    "resnet10-ap": partial(resnet10, pooled=True),
    "resnet10-ap-bn": partial(resnet10, norm="bn", pooled=True),
    "resnet50-bn": partial(resnet_bottleneck, depth=50),
    "resnet101-bn": partial(resnet_bottleneck, depth=101),
    "densenet-cifar": densenet_cifar,
    "mobilenet-v2": mobilenet_v2,
    "efficientnet-b0": efficientnet_b0,
    "shufflenet-v2": shufflenet_v2,
    "resnet18-cifar": resnet18_cifar,
    "mobilenet-v2-cifar": mobilenet_v2_cifar,
    "efficientnet-b0-cifar": efficientnet_b0_cifar,
    "shufflenet-g2-cifar": shufflenet_g2_cifar,
}

_CONVNET_NOTE = "axes: -w<width>, -nonorm|bn|ln|in|gn, -sigmoid|relu|leakyrelu, -nopool|maxpool|avgpool"


def build_network(name: str, shape: ImageShape | None = None, *, seed: int, **numbers: int) -> nn.Module:
    """Build a freshly initialized network on the CPU, in train mode.

    Args:
        name: Name of the network, such as ``convnet-d3``.
        shape: Images and classes that it is for, such as ``real.shape``.
        seed: Decides every initial parameter; the same seed gives the same bits, and no global random state is touched.
        numbers: The shape's channels, size and classes, where no shape is given.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: An unknown name or images that this network does not take.
    """
    shape = ImageShape(*(shape or ()), **numbers)
    for what, number in shape._asdict().items():
        if number < 1:
            raise UserError(f"a network needs {what} of at least 1, not {number}", fix=f"give {what} 1 or more")
    canonical = canonical_network_name(name)
    with isolated(derive(seed, "network")), torch.device("cpu"):
        return _construct(canonical, shape)


def parameter_count(name: str, shape: ImageShape | None = None, **numbers: int) -> int:
    """Count the parameters of a network; ddbench's own are neither allocated nor drawn.

    Args:
        name: Name of the network.
        shape: Images and classes that it is for.
        numbers: The shape's channels, size and classes, where no shape is given.

    Returns:
        P, the number of parameters.

    Raises:
        UserError: An unknown name or images that this network does not take.
    """
    shape = ImageShape(*(shape or ()), **numbers)
    if split_outside(name) is not None:
        network = build_network(name, shape, seed=0)
    else:
        with torch.device("meta"):
            network = _construct(canonical_network_name(name), shape)
    return sum(parameter.numel() for parameter in network.parameters())


def network_table() -> list[dict[str, Any]]:
    """List every network with its number of parameters.

    Returns:
        One row a network: "name", "parameters" for 3 x 32 x 32 images of 10 classes (None for a whole library), "note".
    """
    rows = [
        {
            "name": name,
            "parameters": parameter_count(name, ImageShape(channels=3, size=32, classes=10)),
            "note": FIXED.get(name, _CONVNET_NOTE),
        }
        for name in network_names()
    ]
    return rows + [{"name": f"{source}:NAME", "parameters": None, "note": note} for source, note in OUTSIDE.items()]


def _construct(canonical: str, shape: ImageShape) -> nn.Module:
    outside = split_outside(canonical)
    if outside is not None:
        return build_outside(*outside, **shape._asdict())
    if is_cell_name(canonical):
        return cell_network(parse_cell(canonical), **shape._asdict())
    if canonical in _FIXED:
        return _FIXED[canonical](**shape._asdict())
    return convnet(parse_convnet(canonical), **shape._asdict())
