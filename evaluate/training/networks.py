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
    """Let layers that draw random numbers (dropout) draw from a seed; afterwards the global state is as before."""
    devices = [device] if device.type == "cuda" else []
    with isolated(seed), torch.random.fork_rng(devices=devices):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a layer of the network is batch norm."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def trains_on_one(network: nn.Module, image: Tensor) -> bool:
    """Whether batch norm finds numbers enough in a single image, (1, C, H, W); ``network`` stays as it is."""
    try:
        with torch.no_grad():
            deepcopy(network).train()(image)
    except ValueError:
        return False
    return True


def is_finite(network: nn.Module) -> bool:
    """Whether every parameter is a number."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in network.parameters()]).all())
