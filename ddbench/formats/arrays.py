"""Reading numpy and safetensors files of strangers: plain arrays, no more of them than the file can hold."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.files.torch_file import LARGEST, require_file, unreadable

_MOST_UNPACKED = 50
"""Times its own size that an .npz file may unpack to; images hardly compress."""
_SLACK = 2**20


def read_npy(path: Path) -> Tensor:
    """The array in an ``.npy`` file. Errors: UserError when it is absent, damaged, holds objects, or is cut short."""
    size = require_file(path)
    with path.open("rb") as file:
        return _array(file, size, path, path.name)


def read_npz(path: Path) -> dict[str, Tensor]:
    """All arrays in an ``.npz`` file, by name. Errors: UserError as in ``read_npy``, and for more than it can hold."""
    size = require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            claimed = sum(entry.file_size for entry in entries)
            if claimed > min(size * _MOST_UNPACKED + _SLACK, LARGEST):
                raise UserError(
                    f"{path} claims to hold more than it can",
                    f"found {size} bytes that unpack to {claimed}",
                    fix="do not use this file; ask where it came from for another",
                )
            found = {}
            for entry in entries:
                content = archive.read(entry)
                found[entry.filename[:-4]] = _array(io.BytesIO(content), len(content), path, entry.filename)
            return found
    except UserError:
        raise
    except Exception as error:  # a damaged archive can make the reader fail in any way
        raise unreadable(path, error) from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors in a safetensors file, by name. Errors: UserError when it is absent or damaged, or is ddbench's."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            ours = "ddbench" in (file.metadata() or {})
        found = {} if ours else load_file(path)
    except Exception as error:  # the format's own error and its reader's many others
        raise unreadable(path, error) from None
    if ours:
        raise UserError(f"{path} is a file of ddbench's own", fix=f"use it as it is:  ddbench info {path}")
    return found


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
