"""From what describes nodes or edges to categorical codes, or a refusal that says what to do."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.errors import UserError

LARGEST_CODE = 65_535  # two bytes, as the sizes of distilled graphs are counted


def codes(values: Tensor, what: str, where: str = "") -> Tensor:
    """Turn labels of nodes or edges into categorical codes.

    A one-hot matrix of floats or bools with two columns or more becomes one column, the position of the one. Integers,
    and floats that are all whole, stay as they are.

    Args:
        values: (n,) or (n, columns).
        what: Whose they are, such as ``"node features (x)"``.
        where: The recipe's line, for errors; may be empty.

    Returns:
        (n, F), int64 in 0..65535, F >= 1.

    Raises:
        UserError: Values are continuous, negative or very large, or of another shape.
    """
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0 or values.is_complex():
        raise UserError(
            f"{what} are not labels",
            _origin(where),
            f"found  {values.dtype} of shape {tuple(values.shape)}",
            fix="give one row of integers, or one one-hot row, each",
        )
    if values.dtype == torch.bool or values.is_floating_point():
        if _is_one_hot(values):
            return values.to(torch.uint8).argmax(1, keepdim=True)
        if not bool((values == values.round()).all()):  # nan is not whole either
            raise continuous(what, where)
    if len(values) and (int(values.min()) < 0 or int(values.max()) > LARGEST_CODE):
        raise UserError(
            f"{what} are not categorical codes",
            _origin(where),
            f"found    {int(values.min())} to {int(values.max())}",
            f"expected integers from 0 to {LARGEST_CODE}",
            fix="number the categories from 0; discretise what is measured (quantiles, say)",
        )
    return values.long()


def ranked(column: Tensor) -> tuple[Tensor, Tensor]:
    """Replace integers by their positions among the sorted distinct values.

    Args:
        column: (n,), integers.

    Returns:
        Positions, (n,), int64, and the distinct values.
    """
    values, positions = column.unique(return_inverse=True)
    return positions, values


def continuous(what: str, where: str = "") -> UserError:
    """Make the error for numbers that are measured, where labels are needed.

    Args:
        what: Whose they are, such as ``"node features (x)"``.
        where: The recipe's line; may be empty.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{what} are continuous, and graphs are described here by labels",
        _origin(where),
        "why    computation trees are equal or not; those with measured numbers are all different",
        fix="discretise them (quantiles or clusters as integer codes), or leave them out: without any node label, "
        "the degree is the label",
    )


def _is_one_hot(values: Tensor) -> bool:
    ones = values == 1
    return values.shape[1] > 1 and bool((ones | (values == 0)).all()) and bool((ones.sum(1) == 1).all())


def _origin(location: str) -> str:
    return f"from   {location}" if location else ""
