"""Reading numpy and safetensors files of strangers: plain arrays, no more of them than the file can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddbench.data import npz_file
from ddbench.errors import UserError
from ddbench.files.torch_file import require_file, unreadable


def read_npy(path: Path) -> Tensor:
    """Read the array in an ``.npy`` file.

    Args:
        path: The file.

    Returns:
        The array.

    Raises:
        UserError: It is absent, damaged, holds objects, or is cut short.
    """
    size = require_file(path)
    with path.open("rb") as file:
        return _array(file, size, path, path.name)


def read_npz(path: Path) -> dict[str, Tensor]:
    """Read all arrays of numbers in an ``.npz`` file, by the reader of data sets.

    Args:
        path: The file.

    Returns:
        Tensors by name.

    Raises:
        UserError: The file is absent, damaged, holds text or objects, or claims more than it can hold.
    """
    arrays = npz_file.read_npz(path)
    if (text := next((name for name, array in arrays.items() if array.dtype.kind not in "fiub"), None)) is not None:
        raise UserError(
            f"{text} of {path} holds {arrays[text].dtype}, not plain numbers",
            fix="save it with np.save as float32 or int64",
        )
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors in a safetensors file.

    Args:
        path: The file.

    Returns:
        Tensors by name.

    Raises:
        UserError: It is absent or damaged, or is ddbench's.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            ours = "ddbench" in (file.metadata() or {})
        tensors = {} if ours else load_file(path)
    except Exception as error:  # the format's own error and its reader's many others
        raise unreadable(path, error) from None
    if ours:
        raise UserError(f"{path} is a file of ddbench's own", fix=f"use it as it is:  ddbench info {path}")
    return tensors


def _array(file: Any, size: int, path: Path, name: str) -> Tensor:
    try:
        shape, dtype = _header(file)
        if dtype.kind not in "fiub":
            raise UserError(
                f"{name} of {path} holds {'objects' if dtype.hasobject else dtype}, not plain numbers",
                fix="save it with np.save as float32 or int64",
            )
        count = 1
        for side in shape:
            count *= int(side)
        if count < 0 or count * dtype.itemsize > size:
            raise UserError(
                f"{name} of {path} claims to hold more than it does",
                f"found shape {tuple(shape)} of {dtype} in {size} bytes",
                fix="copy it again from where it came",
            )
        file.seek(0)
        array = np.load(file, allow_pickle=False)
        return torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))
    except UserError:
        raise
    except Exception as error:  # a damaged header can make the reader fail in any way
        raise unreadable(path, error) from None


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
