"""Reading ``.pt`` files of strangers: tensors, lists, dictionaries and plain numbers, never a line of their code."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.formats.numbers import NUMBERS
from ddbench.formats.pickle_scan import PickleScanError, scan_pickle

LARGEST = 8 * 2**30
"""Bytes of a file that are read at most: a distilled set of ImageNet-1K at 64 pixels and 50 images a class has 3 GB."""
_MOST_VALUES = 1_000_000
_DTYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
}


def read_torch(path: Path) -> Any:
    """What ``torch.save`` wrote to a file, on the CPU.

    Nothing is unpickled beyond ``torch.load(weights_only=True)`` and numpy's plain numbers, which come as Python's.
    Errors: UserError when the file is absent, damaged, compressed, larger than LARGEST, needs code to be run, or holds
    tensors that claim more than the file has.
    """
    size = require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged files make the readers wonder aloud
            value = _read(path, size)
    except UserError:
        raise
    except PickleScanError as error:
        raise _needs_code(path, error) from None
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise unreadable(path, error) from None
    _check_tensors(value, path, size)
    return value


def _read(path: Path, size: int) -> Any:
    with path.open("rb") as file:
        archive = file.read(4) == b"PK\x03\x04"
    if archive:
        _check_archive(path, size)
    else:
        _check_legacy(path)
    with torch.serialization.safe_globals(NUMBERS):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=False)


def require_file(path: Path) -> int:
    """The size of a file in bytes. Errors: UserError when there is none, or it is empty or larger than LARGEST."""
    if not path.is_file():
        raise UserError(f"there is no file {path}", fix="check the path")
    size = path.stat().st_size
    if not size:
        raise UserError(f"{path} is empty", fix="copy it again from where it came")
    if size > LARGEST:
        raise UserError(
            f"{path} is too large for a synthetic set",
            f"size  {size / 2**30:.1f} GiB; at most {LARGEST / 2**30:.0f} GiB are read",
            fix="give the file of the distilled images, or split it by class",
        )
    return size


def unreadable(path: Path, error: Exception | str) -> UserError:
    """The error for a file that is damaged or something else."""
    return UserError(
        f"{path} can not be read: it is damaged, or something else",
        f"why   {_first_line(error)}",
        fix="copy it again from where it came, and compare its checksum where one is published",
    )


def _check_archive(path: Path, size: int) -> None:
    """Errors: UserError unless the entries of a zip file are stored as they are, whole, and no larger than the file."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UserError(
                f"{path} is a compressed archive, and torch.save writes none",
                fix="unpack it, and give the .pt file inside",
            )
        claimed = sum(entry.file_size for entry in entries)
        if claimed > size:
            raise UserError(
                f"{path} claims to hold more than it does",
                f"found {size} bytes that unpack to {claimed}",
                fix="do not use this file; ask where it came from for another",
            )
        if (damaged := archive.testzip()) is not None:
            raise unreadable(path, f"the checksum of {damaged} is wrong")
        names = [entry.filename for entry in entries]
        pickles = [name for name in names if name.endswith("data.pkl")]
        if len(pickles) != 1 or len(set(names)) < len(names):
            raise unreadable(path, "it is no archive that torch.save writes")
        with archive.open(pickles[0]) as file:
            scan_pickle(io.BytesIO(file.read()))


def _check_legacy(path: Path) -> None:
    """The same for what torch before 1.6 wrote: five pickles, then the bytes of the tensors."""
    with path.open("rb") as file:
        for _ in range(5):
            scan_pickle(file)


def _check_tensors(value: Any, path: Path, size: int) -> None:
    """Errors: UserError where a tensor anywhere inside is not plain numbers, or has more of them than the file."""
    waiting, seen = [value], set()
    while waiting:
        found = waiting.pop()
        if isinstance(found, Tensor):
            _check_tensor(found, path, size)
        elif isinstance(found, dict | list | tuple | set) and id(found) not in seen:
            seen.add(id(found))
            waiting += [*found, *found.values()] if isinstance(found, dict) else found
        if len(waiting) > _MOST_VALUES:
            raise UserError(f"{path} holds over a million values apart from tensors", fix="give a synthetic set's file")


def _check_tensor(tensor: Tensor, path: Path, size: int) -> None:
    plain = type(tensor) in (Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    if not plain or tensor.device.type != "cpu" or tensor.is_quantized or tensor.dtype not in _DTYPES:
        raise UserError(
            f"{path} holds a tensor of a kind that no synthetic set has",
            f"found {tensor.dtype}, {tensor.layout}, on {tensor.device.type}",
            fix="save it again as a dense tensor of float32, or of int64 for labels",
        )
    if tensor.numel() * tensor.element_size() > size:
        raise UserError(
            f"{path} claims to hold more than it does",
            f"found a tensor of shape {tuple(tensor.shape)} in {size} bytes",
            fix="save it again with .contiguous(), or, where it is not yours, do not use it",
        )


def _needs_code(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} holds more than plain tensors and numbers; reading the rest could run code that it brings along",
        f"why   {_first_line(error)}",
        fix="where you trust it, save images and labels again as tensors:  torch.save((images, labels), NEW_FILE)",
    )


def _first_line(error: Exception | str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in said[:200])
