"""What an outer step will need, before it runs: an estimate of its peak memory."""

from __future__ import annotations

import torch
from torch import nn

from ddbench.unroll import AdjointUnroll, FullUnroll, Unroll

KEPT_PER_ACTIVATION = 1.32
"""Bytes that the graph of one inner step, ready to be differentiated again, keeps for each byte of its activations."""

PASSING_PER_ACTIVATION = 0.72
"""Bytes that walking back through one such graph needs for a moment, for each byte of its activations.

Both are fits to the live bytes of ConvNet-D3 of width 128 at 10 and 100 images of 32 pixels a step, N from 2 to 50, as
``benchmarks/unroll.py`` measures them on a CPU. With them the estimate is within 5 % of what ConvNets of other depth,
width and image size take, with instance norm or none; of LeNet, AlexNet, VGG11, ResNet18 and an MLP within a quarter.
Batch norm takes up to 1.7 times as much where one step is held at a time, since its second derivative is put together
from small operations.
"""


def activation_floats(network: nn.Module, channels: int, size: int) -> int:
    """How many numbers the layers of ``network`` put out for one image, all together."""
    total = 0

    def count(module: nn.Module, entering: object, leaving: object) -> None:
        nonlocal total
        if isinstance(leaving, torch.Tensor) and not any(module.children()):
            total += leaving.numel()

    handles = [module.register_forward_hook(count) for module in network.modules()]
    like = next(network.parameters())
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, channels, size, size, device=like.device, dtype=like.dtype))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total


def outer_step_bytes(
    unroll: Unroll,
    *,
    parameters: int,
    activations: int,
    batch: int,
    inner_steps: int,
    learned: int = 0,
    momentum: bool = False,
    milestones: bool = False,
) -> int:
    """Estimated peak of one outer step above what lies there already, in bytes, for float32.

    parameters: P. activations: numbers a layer stack puts out for one image. batch: images an inner step sees. learned:
    numbers of the synthetic set that are learned. momentum: whether the student has any. milestones: whether the loss
    looks at the student on its way as well as at its end.
    """
    vector = 4 * parameters
    path = (inner_steps + 1) * vector
    activation = 4 * activations * batch
    stored = 2 * path * (2 if momentum else 1)  # the states, and their cotangents
    graphs = _graphs_held(unroll, inner_steps) * (KEPT_PER_ACTIVATION * activation + 2 * vector)
    gathered = path if momentum or milestones else 0  # cotangents of what a loss looks at, before the walk begins
    shares = 2 * 4 * learned  # the gradient so far, and that of one inner step, each of the whole set
    walked = PASSING_PER_ACTIVATION * activation + 2 * vector + shares
    if isinstance(unroll, FullUnroll):
        return int(stored + graphs + max(walked, gathered))
    return int(stored + max(graphs + walked, gathered))


def distillation_bytes(step: int, learned: int, *, averaged: int = 0) -> int:
    """Estimated peak of a whole distillation, in bytes.

    step: of an outer step, as above. learned: numbers of the set that are learned; they, their momentum, and a copy of
    both from before the last step lie there all the time. averaged: numbers of which a moving average is kept, and its
    copy.
    """
    return step + 4 * 2 * (2 * learned + averaged)


def _graphs_held(unroll: Unroll, inner_steps: int) -> int:
    """How many steps' graphs exist at once. TESLA and the truncated unroll walk back one by one."""
    match unroll:
        case FullUnroll():
            return inner_steps
        case AdjointUnroll(every=every):
            return min(every, inner_steps)
        case _:
            return 1
