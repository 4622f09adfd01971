"""Labels that are stored: what teachers see in each image as it is rendered, once, without augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ddbench.synthetic.compensators import Compensation, rendered
from ddbench.training.teachers import Teachers

RENDERED_AT_ONCE = 2**24
"""Numbers in images that are rendered together to be labeled."""


def static_logits(
    teachers: Teachers, pixels: Tensor, compensation: Compensation, space: Mapping[str, Any], device: torch.device
) -> Tensor:
    """Average the teachers' logits for every image that is rendered, in that order.

    Args:
        teachers: The teachers.
        pixels: Natural images, (K * classes, C, H, W), uint8, on the CPU.
        compensation: What is added to them.
        space: ``Preprocessing.describe()``.
        device: Device of the teachers.

    Returns:
        (N, classes), float16, on the CPU.
    """
    every = torch.arange(len(pixels) * compensation.blocks)
    chunks = every.split(max(1, RENDERED_AT_ONCE // pixels[0].numel()))
    chunk_logits = [teachers.logits(rendered(pixels, compensation, space, rows).to(device)) for rows in chunks]
    return torch.cat([logits.cpu().half() for logits in chunk_logits])
