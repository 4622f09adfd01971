"""Integers as they lie in a file: in the smallest type that holds them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

_TYPES = ((torch.uint8, 2**8), (torch.uint16, 2**16), (torch.uint32, 2**32))


def packed(values: np.ndarray | Tensor) -> Tensor:
    """Store integers in the smallest unsigned type of 8, 16 or 32 bits that holds them.

    Args:
        values: Integers that are not negative, of any shape.

    Returns:
        The same numbers.

    Raises:
        ValueError: A number is negative, or too large for 32 bits.
    """
    tensor = torch.as_tensor(values, dtype=torch.int64)
    low, high = (int(tensor.min()), int(tensor.max())) if tensor.numel() else (0, 0)
    dtype = next((dtype for dtype, limit in _TYPES if high < limit), None)
    if low < 0 or dtype is None:
        raise ValueError(f"integers from {low} to {high} do not fit into 32 bits without a sign")
    return tensor.to(dtype)


def unpacked(tensors: Mapping[str, Tensor], name: str, dimensions: int = 1) -> Tensor:
    """Read one of a file's tensors as int64.

    The file may be a stranger's: what the integers mean is for the caller to check.

    Args:
        tensors: Tensors of the file, by name.
        name: Name of the tensor.
        dimensions: Number of its axes.

    Returns:
        int64.

    Raises:
        ValueError: It is absent, of another type or of other axes.
    """
    if name not in tensors:
        raise ValueError(f"its tensor {name!r} is missing")
    tensor = tensors[name]
    if tensor.ndim != dimensions or all(tensor.dtype != dtype for dtype, _ in _TYPES):
        raise ValueError(f"its tensor {name!r} is {tensor.dtype} of shape {tuple(tensor.shape)}")
    return tensor.to(torch.int64)


def stored_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Count what tensors take in a file, without their names.

    Args:
        tensors: Tensors by name.

    Returns:
        Bytes.
    """
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
