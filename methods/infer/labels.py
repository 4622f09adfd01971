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
    """The mean of the teachers' logits for all images that are rendered, in that order:

    (N, classes), float16.

    Args:
        pixels: Natural images, uint8, on the CPU.
        space: ``Preprocessing.describe()``.
        device: Of the teachers.
    """
    every = torch.arange(len(pixels) * compensation.blocks)
    chunks = every.split(max(1, RENDERED_AT_ONCE // pixels[0].numel()))
    said = [teachers.logits(rendered(pixels, compensation, space, rows).to(device)) for rows in chunks]
    return torch.cat([logits.cpu().half() for logits in said])
