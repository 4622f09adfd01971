"""Estimates of the seconds that an ordinary training takes."""

from __future__ import annotations

import torch

SECONDS_PER_FLOAT = 6e-9
"""Of a training step, for each number that the network's layers put out: ConvNet-D3 on one core."""

CUDA_SECONDS_PER_FLOAT, CUDA_LEAST = 4e-11, 1e-3
"""The same on a GPU, where a step takes about a millisecond to launch however little it computes. Not measured: from
the ratio of the machines' arithmetic, and a hundred launches of ten microseconds."""

LEAST_STEP_SECONDS = 7e-3
"""Of an inner step of a distillation, there and back, however small: ConvNet-D2-w32 on ten images of 8 x 8 pixels."""


def training_seconds(floats: int, images: int, batch: int, device: torch.device) -> float:
    """Estimate how long the uncompiled training of one network takes.

    Args:
        floats: Activations for one image (``ddbench.estimates.memory.activation_floats``).
        images: Images seen in the whole training.
        batch: Images in a step.
        device: Device that trains.

    Returns:
        Seconds.
    """
    if device.type == "cuda":
        return max(CUDA_SECONDS_PER_FLOAT * floats * images, CUDA_LEAST * images / batch)
    return SECONDS_PER_FLOAT * floats * images
