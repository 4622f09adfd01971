"""Estimates of the peak memory of an outer step and of trainings, before they run."""

from __future__ import annotations

import torch
from torch import nn

from ddbench.estimates.estimate import Estimate
from ddbench.networks.image_shape import ImageShape
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, Unroll

KEPT_PER_ACTIVATION = 1.32
"""Bytes that the graph of one inner step, ready to be differentiated again, keeps for each byte of its activations."""

PASSING_PER_ACTIVATION = 0.72
"""Bytes that walking back through one such graph needs for a moment, for each byte of its activations.

Both are fits to the live bytes of ConvNet-D3 of width 128 at 10 and 100 images of 32 pixels a step, N from 2 to 50, as
``benchmarks/unroll.py`` measures them on a CPU. With them the estimate is within 5 % of what ConvNets of other depth,
width and image size take, with instance norm; of AlexNet, VGG11, ResNet18 and an MLP within a quarter, of LeNet a
third. Batch norm takes up to 1.7 times as much where one step is held at a time, since its second derivative is put
together from small operations.
"""

COMPILED_PER_ACTIVATION = 1.76
"""Both together, of a step that is compiled and walked back by itself; a fit to the same networks on a CPU."""


def activation_floats(network: nn.Module, shape: ImageShape) -> int:
    """Count the numbers that the layers of a network put out for one image.

    Args:
        network: Network, called once in eval mode.
        shape: Images that it takes.

    Returns:
        Numbers of all layers without children together.
    """
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
            network.eval()(torch.zeros(1, *shape.image, device=like.device, dtype=like.dtype))
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
    vectors: int = 1,
    moments: int = 0,
    device: str = "cpu",
    compiled: bool = False,
) -> Estimate:
    """Estimate the peak of one outer step above what lies there already, for float32.

    Args:
        unroll: How the student is differentiated.
        parameters: P.
        activations: Numbers a layer stack puts out for one image.
        batch: Images an inner step sees.
        inner_steps: N.
        learned: Numbers of the synthetic set that are learned.
        vectors: Of the size of P in the student's state: 2 with momentum, 3 with Adam.
        moments: At how many of its states the loss looks.
        device: Its type; beside "cuda" the student's path lies in the memory of the CPU, and is not counted.
        compiled: Whether the student's step is; then one is held at a time.

    Returns:
        Bytes of the student's path, the graphs of steps, the states that the loss looks at, and the way back.
    """
    vector = 4 * parameters
    state = vectors * vector
    activation = 4 * activations * batch
    full = isinstance(unroll, FullUnroll)
    held_per_activation = KEPT_PER_ACTIVATION
    if compiled and not full:
        unroll, held_per_activation = AdjointUnroll(), COMPILED_PER_ACTIVATION - PASSING_PER_ACTIVATION
    shares = 2 * 4 * learned  # the gradient so far, and that of one inner step, each of the whole set
    return Estimate(
        {
            "student path": 0 if full or device == "cuda" else inner_steps * state,
            "graphs of steps": _graphs_held(unroll, inner_steps) * (held_per_activation * activation + vector + state),
            "states of the loss": moments * state,
            "way back": PASSING_PER_ACTIVATION * activation + vector + 2 * state + shares,
        }
    )


def distillation_bytes(step: Estimate, learned: int, *, averaged: int = 0) -> Estimate:
    """Estimate the peak of a whole distillation.

    Args:
        step: Of an outer step, as above.
        learned: Numbers of the set that are learned; they, their momentum, and a copy of both from before the last step
            lie there all the time.
        averaged: Numbers of which a moving average is kept, and its copy.

    Returns:
        The step's parts, and the set.
    """
    return step.plus({"set": 4 * 2 * (2 * learned + averaged)})


def _graphs_held(unroll: Unroll, inner_steps: int) -> int:
    """How many steps' graphs exist at once. TESLA and the truncated unroll walk back one by one."""
    match unroll:
        case FullUnroll():
            return inner_steps
        case AdjointUnroll(every=every):
            return min(every, inner_steps)
        case _:
            return 1


TRAINED_PER_ACTIVATION = 0.97
"""Bytes that one ordinary training step takes at its peak for each byte of its activations: forward, and back once.

A fit to ConvNets with a norm, on a CPU; without a norm it is 1.05, of networks that change activations in place less.
"""

STACKED = 1.25
"""How many times as much its activations take where a network is one of several stacked: vectorized layers keep more.

Measured by ``benchmarks/training_memory.py``; the table is in docs/scale.md.
"""

PENALISED_PER_ACTIVATION = 2.8
"""The same of a step whose loss holds a gradient by the images, and is differentiated: with batch norm it is 3.9."""

TESTED_PER_ACTIVATION = 0.5
"""The same of a pass without gradients, which holds what enters and leaves the largest layer."""

_COPIES_OF_A_BATCH = 3
"""A batch as it was chosen, in augmentation, and as the network sees it."""


def training_bytes(
    *,
    parameters: int,
    activations: int,
    batch: int,
    pixels: int,
    vectors: int = 4,
    per_activation: float = TRAINED_PER_ACTIVATION,
    stacked: bool = False,
) -> Estimate:
    """Estimate the peak of training a network, for float32.

    Args:
        parameters: P.
        activations: Numbers its layers put out for one image.
        batch: Images in a step.
        pixels: Numbers of an image.
        vectors: Of the size of the parameters: themselves, gradients, what the optimizer keeps, and what it needs in
            passing.
        per_activation: Bytes for each byte of activations.
        stacked: Whether it is one of several networks that are trained by one vectorized pass.

    Returns:
        Bytes of the activations, the weights and the batch.
    """
    return Estimate(
        {
            "activations": 4 * batch * per_activation * activations * (STACKED if stacked else 1),
            "weights": 4 * vectors * parameters,
            "batch": 4 * batch * _COPIES_OF_A_BATCH * pixels,
        }
    )


def inference_bytes(*, parameters: int, activations: int, batch: int, pixels: int) -> Estimate:
    """Estimate the peak of looking at images without learning from them, for float32.

    Args:
        parameters: P.
        activations: Numbers its layers put out for one image.
        batch: Images at once.
        pixels: Numbers of an image.

    Returns:
        Bytes of the activations, the weights and the batch.
    """
    return training_bytes(
        parameters=parameters,
        activations=activations,
        batch=batch,
        pixels=pixels,
        vectors=1,
        per_activation=TESTED_PER_ACTIVATION,
    )
