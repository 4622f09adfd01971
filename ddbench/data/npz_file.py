"""Reads ``.npz`` files of strangers: plain arrays, no larger than they may be, nothing unpickled.

Every check is made on what comes out, before memory is asked for: a file may be compressed, but one that claims far
more than its size can hold is refused, and so is an array whose header claims another size than its bytes.
"""

from __future__ import annotations

import ast
import struct
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from ddbench.data.memory_limits import require_memory
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path

MOST_UNPACKED = 50
"""Times its own size that a file may unpack to."""
SLACK_BYTES = 1 << 28
"""Bytes that a file may unpack to whatever its size: arrays of few values compress a thousandfold."""
MOST_MEMBERS = 10_000
LARGEST_HEADER = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_KINDS = "fiubSU"


def read_npz(path: Path, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of a file.

    Args:
        path: The file.
        wanted: The arrays that are read; None for all.

    Returns:
        Arrays of numbers, bools, bytes or text by name, in the machine's byte order.

    Raises:
        UserError: The file is absent, damaged, or holds objects, or claims more than it can hold or than is free in
            memory.
    """
    size = require_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            chosen = {
                entry.filename[:-4]: entry for entry in members if wanted is None or entry.filename[:-4] in wanted
            }
            _require_bounded(list(chosen.values()), size, path)
            return {name: _read(archive, entry, path) for name, entry in chosen.items()}
    except (UserError, MemoryError):
        raise
    except Exception as error:  # a damaged archive can make the reader fail in any way
        raise unreadable(path, error) from None


def names_in(path: Path) -> list[str]:
    """List the arrays in a file.

    Args:
        path: The file.

    Returns:
        Names, in the order of the file.

    Raises:
        UserError: It is no .npz file.
    """
    require_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return [entry.filename[:-4] for entry in archive.infolist() if entry.filename.endswith(".npy")]
    except Exception as error:  # a damaged archive can make the reader fail in any way
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception | str) -> UserError:
    """Make the error for a file that is damaged or something else.

    Args:
        path: The file.
        error: What went wrong.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{shown_path(path)} is not a readable .npz file",
        f"why      {shown_path(' '.join(str(error).split())[:300]) or type(error).__name__}",
        fix="save plain arrays (no objects, which would need unpickling) with np.savez",
    )


def _require_bounded(entries: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    claimed = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_MEMBERS or claimed > max(SLACK_BYTES, MOST_UNPACKED * size):
        raise UserError(
            f"{shown_path(path)} claims to hold more than it can",
            f"found    {size:,} bytes that unpack to {claimed:,}",
            fix="do not use this file; restore it from where it came",
        )
    require_memory(claimed, f"what {shown_path(path)} unpacks to")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> np.ndarray:
    if entry.compress_type not in _METHODS or entry.flag_bits & 0x1:
        raise unreadable(path, f"{entry.filename} is compressed in a way that numpy does not use, or encrypted")
    with archive.open(entry) as file:
        shape, dtype, fortran, length = _header(file)
        if dtype.kind not in _KINDS or dtype.hasobject or dtype.subdtype is not None:
            what = "objects, which would need unpickling" if dtype.hasobject else str(dtype)
            raise unreadable(path, f"{entry.filename} holds {what}")
        count = 1
        for side in shape:
            count *= side
        if count * dtype.itemsize != entry.file_size - length:
            raise UserError(
                f"{entry.filename} of {shown_path(path)} claims another size than it has",
                f"found    shape {shape} of {dtype} in {entry.file_size - length:,} bytes",
                fix="save it again with np.savez, or restore it from where it came",
            )
        content = bytearray(count * dtype.itemsize)
        view, at = memoryview(content), 0
        while at < len(content):
            read = file.read(min(1 << 20, len(content) - at))
            if not read:
                raise EOFError(f"{entry.filename} is cut short")
            view[at : at + len(read)] = read
            at += len(read)
        file.read(1)  # the end of a member is where its checksum is compared
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(array, dtype=dtype.newbyteorder("=")).reshape(shape)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool, int]:
    """Shape, type, whether in Fortran's order, and the bytes before the values, of an array in numpy's format."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise ValueError("an array has no header of numpy's")
    width = 2 if start[6] == 1 else 4
    (length,) = struct.unpack("<H" if width == 2 else "<I", file.read(width))
    if length > LARGEST_HEADER:
        raise ValueError(f"the header of an array has {length:,} bytes")
    fields = ast.literal_eval(file.read(length).decode("latin-1" if start[6] < 3 else "utf-8"))
    shape, fortran = fields["shape"], fields["fortran_order"]
    if not isinstance(fields["descr"], str) or not isinstance(fortran, bool) or not isinstance(shape, tuple):
        raise ValueError("the header of an array is not one of plain numbers")
    if not all(type(side) is int and side >= 0 for side in shape) or len(shape) > 32:
        raise ValueError(f"an array has the shape {shape}"[:200])
    return shape, np.dtype(fields["descr"]), fortran, 8 + width + length
