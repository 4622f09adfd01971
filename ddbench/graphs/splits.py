"""The division of a graph set for training, validation and test that the field uses where none is official."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from ddbench.errors import UserError


def shuffled_split(count: int, validation: float, seed: int, where: str = "") -> tuple[Tensor, Tensor, Tensor]:
    """Divide a set: a permutation, its first tenth for test, the next part for validation, the rest for training.

    The permutation is ``torch.randperm`` under ``torch.manual_seed(seed)``; a tenth is ceil(count / 10), validation
    ceil(validation * count). The global random state is neither read nor changed.

    Args:
        count: Number of graphs.
        validation: Fraction for validation, in [0, 1).
        seed: Seed of the permutation.
        where: The recipe's line, for errors; may be empty.

    Returns:
        Positions for training, validation and test, int64.

    Raises:
        UserError: The fraction is not in [0, 1), or leaves nothing to train on.

    Source: with seed 0 and 0.1 it is the split of DosCond (its ``utils.py``) and of Mirage.
    """
    origin = f"from  {where}" if where else ""
    if not (math.isfinite(validation) and 0 <= validation < 1):
        raise UserError(
            f"a validation fraction of {validation} is out of range",
            origin,
            fix="choose one from 0 to below 1, such as 0.1",
        )
    tested = math.ceil(Fraction(count, 10))
    validated = math.ceil(Fraction(str(validation)) * count)
    if count - tested - validated < 1:
        raise UserError(
            f"of {count} graphs none is left to train on",
            origin,
            f"test takes {tested}, a validation fraction of {validation} takes {validated}",
            fix="choose a smaller validation fraction, or a larger set",
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[tested + validated :], order[tested : tested + validated], order[:tested]


def split_in_words(validation: float, seed: int) -> str:
    """Describe what ``shuffled_split`` does, for rows and pages.

    Args:
        validation: Fraction for validation.
        seed: Seed of the permutation.

    Returns:
        One line.
    """
    part = "ceil(N/10)" if validation == 0.1 else f"ceil({validation:g} N)"
    return f"shuffled with seed {seed}: ceil(N/10) test, {part} validation, the rest training"
