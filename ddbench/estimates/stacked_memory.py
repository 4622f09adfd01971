"""Estimates of ordinary trainings: seconds, memory, and how many fit side by side."""

from __future__ import annotations

import torch

SECONDS_PER_FLOAT = 6e-9
"""Of a training step, for each number that the network's layers put out: ConvNet-D3 on one core."""

CUDA_SECONDS_PER_FLOAT, CUDA_LEAST = 4e-11, 1e-3
"""The same on a GPU, where a step takes about a millisecond to launch however little it computes. Not measured: from
the ratio of the machines' arithmetic, and a hundred launches of ten microseconds."""

KEPT_PER_ACTIVATION = 3
"""Copies of its activations that a training step holds at most: kept for the way back, augmented, and in passing."""

MOST_TOGETHER = 16
"""Networks trained at once where nobody says how many: beyond it a GPU is as busy with them as it gets."""


def training_seconds(floats: int, images: int, batch: int, device: torch.device) -> float:
    """About how long the uncompiled training of one network takes.

    Args:
        floats: Activations for one image (``ddbench.estimates.memory.activation_floats``).
        images: Seen in the whole training.
    """
    if device.type == "cuda":
        return max(CUDA_SECONDS_PER_FLOAT * floats * images, CUDA_LEAST * images / batch)
    return SECONDS_PER_FLOAT * floats * images


def training_bytes(parameters: int, floats: int, batch: int) -> int:
    """Estimated memory of one network in training, in bytes, for float32: with gradient, and two states of its size."""
    return 4 * (4 * parameters + KEPT_PER_ACTIVATION * floats * batch)


def side_by_side(together: int | None, count: int, device: torch.device, each: int) -> int:
    """How many of ``count`` networks are trained at once: as many as was said, where it was.

    Else one on a CPU, where several at once are slower than one after the other; on CUDA as many as half of the free
    memory holds, at most ``MOST_TOGETHER``.

    Args:
        each: Bytes of one.

    Raises:
        ValueError: Less than 1.
    """
    if together is None:
        if device.type != "cuda":
            return 1
        together = max(1, min(MOST_TOGETHER, torch.cuda.mem_get_info(device)[0] // 2 // each))
    if together < 1:
        raise ValueError(f"at least 1 network is trained at once, not {together}")
    return max(1, min(together, count))
