"""What an outer step will need, before it runs: an estimate of its peak memory."""

from __future__ import annotations

import torch
from torch import nn

from ddbench.unroll import AdjointUnroll, FullUnroll, TruncatedUnroll, Unroll

GRAPH_PER_ACTIVATION = 11.0
"""Bytes held by one step's second-order graph, in units of the bytes of its activations. Measured on ConvNets with
``benchmarks/unroll.py``; networks of other layers differ."""


def activation_floats(network: nn.Module, channels: int, size: int) -> int:
    """How many numbers the layers of ``network`` put out for one image, all together."""
    total = 0

    def count(module: nn.Module, entering: object, leaving: object) -> None:
        nonlocal total
        if isinstance(leaving, torch.Tensor) and not any(module.children()):
            total += leaving.numel()

    handles = [module.register_forward_hook(count) for module in network.modules()]
    device = next(network.parameters()).device
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, size, size, device=device))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total


def outer_step_bytes(unroll: Unroll, *, parameters: int, activations: int, batch: int, inner_steps: int) -> int:
    """Estimated peak of one outer step above what lies there already, in bytes.

    parameters: P. activations: numbers a layer stack puts out for one image. batch: images an inner step sees.
    """
    vectors = 2 * (inner_steps + 1) * parameters * 4  # the states, and their cotangents
    graph = GRAPH_PER_ACTIVATION * activations * batch * 4 + 6 * parameters * 4
    held = {FullUnroll: inner_steps, AdjointUnroll: getattr(unroll, "every", 1)}.get(type(unroll), 1)
    if isinstance(unroll, TruncatedUnroll):
        held = 1
    return int(vectors + held * graph)
