"""Student of AST: its start, and the weight of its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def perturbed(theta: Tensor, shapes: Sequence[torch.Size], alpha: float, generator: torch.Generator) -> Tensor:
    """Move the convolutions of parameters in random directions:

    W <- W + alpha * d * W, d ~ N(0, 1) / norm of d.

    Args:
        theta: Parameters, (P,).
        shapes: Shapes of their tensors, in order; those of four dimensions are convolutions, others stay as they are.
        alpha: Length of the move, relative to each weight.
        generator: Source of the draws, which are made on its device.

    Returns:
        A new vector, (P,).

    Source: Shen et al. 2023 (AST, arXiv:2310.10541), released ``distill.py``, ``weight_perturb``. Differs: none.
    """
    parts = list(theta.split([shape.numel() for shape in shapes]))
    for position, shape in enumerate(shapes):
        if len(shape) == 4:
            direction = torch.randn(shape.numel(), generator=generator, device=generator.device, dtype=theta.dtype)
            parts[position] = parts[position] * (1 + alpha * (direction / direction.norm()).to(theta.device))
    return torch.cat(parts)


def balance(start_epoch: int, max_start_epoch: int) -> float:
    """Compute AST's factor of the student's loss: below 1 for early start epochs, above for late ones.

    With m = floor(max_start_epoch / 2): log5(s - m + 8) from s = m on, 1 / log5(m - s + 8) before it.

    Args:
        start_epoch: Start epoch of the step, s.
        max_start_epoch: Upper end of the window of start epochs.

    Returns:
        The factor.

    Source: Shen et al. 2023 (AST, arXiv:2310.10541), released ``distill.py``, ``balance_loss``. Differs: none.
    """
    ahead = start_epoch - max_start_epoch // 2
    return math.log(ahead + 8, 5) if ahead >= 0 else 1 / math.log(8 - ahead, 5)
