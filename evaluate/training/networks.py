"""Facts about networks that a training needs, and the randomness of their layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from ddbench.randomness import isolated


@contextmanager
def layers_seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let layers that draw random numbers (dropout) draw from a seed; afterwards the global state is as before.

    Args:
        seed: Of torch's global generators.
        device: Device of the network; on CUDA its generator is seeded too.

    Returns:
        A context, which yields nothing.
    """
    devices = [device] if device.type == "cuda" else []
    with isolated(seed), torch.random.fork_rng(devices=devices):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def has_batch_norm(network: nn.Module) -> bool:
    """Tell whether a layer of a network is batch norm.

    Args:
        network: Network.

    Returns:
        True for batch norm of any number of dimensions.
    """
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def trains_on_one(network: nn.Module, image: Tensor) -> bool:
    """Tell whether batch norm finds numbers enough in a single image.

    Args:
        network: Network; it stays as it is.
        image: (1, C, H, W).

    Returns:
        False where a forward pass in training mode fails on it.
    """
    try:
        with torch.no_grad():
            deepcopy(network).train()(image)
    except ValueError:
        return False
    return True


def is_finite(network: nn.Module) -> bool:
    """Tell whether every parameter is a finite number.

    Args:
        network: Network.

    Returns:
        False for nan or infinity in any parameter.
    """
    return bool(torch.stack([parameter.isfinite().all() for parameter in network.parameters()]).all())
