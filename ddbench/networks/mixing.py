"""Check that a network treats every image of a batch by itself, as sharing a batch over ranks requires."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ddbench.errors import UserError
from ddbench.networks.flat import FlatNetwork
from ddbench.networks.image_shape import ImageShape
from ddbench.randomness import stream


def batch_norms(network: FlatNetwork) -> list[str]:
    """List the batch norms of a network.

    Args:
        network: The student.

    Returns:
        Names of layers, in their order.
    """
    return [name for name, layer in network.module.named_modules() if isinstance(layer, _BatchNorm)]


def mixes_batch(network: FlatNetwork, shape: ImageShape) -> bool:
    """Check whether the logits of one image depend on the others of its batch; tried on drawn images, in float64.

    Args:
        network: The student.
        shape: Images that it takes.

    Returns:
        True where they do, as under batch norm.
    """
    seen = network.to("cpu", torch.float64)
    generator = stream(0, "mixing")
    images = torch.randn(3, *shape.image, generator=generator, dtype=torch.float64, requires_grad=True)
    theta = seen.flatten()
    (derivative,) = torch.autograd.grad(seen(theta, images)[0].square().sum(), images)
    return bool(derivative[1:].any())


def refuse_mixed_batches(network: FlatNetwork, shape: ImageShape) -> None:
    """Refuse a student that several ranks can not train together, each on its rows of the batch.

    Args:
        network: The student.
        shape: Images that it takes.

    Raises:
        UserError: Its images are normalized together.
    """
    if not mixes_batch(network, shape):
        return
    layers = batch_norms(network)
    raise UserError(
        "several ranks can not share the batches of a student whose images are normalized together",
        f"layer {layers[0]} is a batch norm" if layers else "seen  the logits of one image depend on the others",
        fix="distill with one process, or with another network: -o network=convnet-d3, say",
    )
