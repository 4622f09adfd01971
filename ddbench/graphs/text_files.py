"""Tables of numbers in text files, gzipped or not, as graph sets are published."""

from __future__ import annotations

import gzip
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench.data.memory_limits import require_memory
from ddbench.data.rawdata import Request
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular

LARGEST_TEXT = 8 << 30
"""Bytes of one text."""
MOST_UNPACKED = 100
"""Times its own size that a gzipped text may unpack to."""
SLACK_BYTES = 1 << 28
LARGEST_NUMBER = 1 << 53
"""From here on a float64 does not tell whole numbers apart."""


def numbers(path: Path, request: Request, columns: int | None = None) -> Tensor:
    """Read a table of numbers, separated by commas. Nothing in the file is run.

    Args:
        path: The file, gzipped where its name ends in ``.gz``.
        request: Of the recipe, for errors.
        columns: Columns that it must have; None for any.

    Returns:
        (rows, columns): int64 where every number is whole, else float64.

    Raises:
        UserError: The file is absent, damaged, or has other columns; names the file.
    """
    _require_bounded(path, request)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")
            read = np.loadtxt(path, delimiter=",", ndmin=2, comments=None)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise damaged(path, " ".join(str(error).split()), request) from None
    if read.size == 0:
        return torch.zeros(0, columns or 1, dtype=torch.int64)
    if columns is not None and read.shape[1] != columns:
        raise damaged(path, f"it has {read.shape[1]} columns, expected {columns}", request)
    if not np.isfinite(read).all():
        raise damaged(path, "not all of its values are finite numbers", request)
    if np.abs(read).max() > LARGEST_NUMBER:
        raise damaged(path, f"it holds a number of {np.abs(read).max():.3g}", request)
    table = torch.from_numpy(read)
    return table.long() if bool((table == table.round()).all()) else table


def _require_bounded(path: Path, request: Request) -> None:
    """Refuse a file that is absent, is none, or unpacks to more text than it can hold."""
    if not path.exists() and not path.is_symlink():
        raise UserError(
            f"{path.name} is missing",
            request.origin,
            f"expected {path}",
            fix="put the whole set there, or remove its folder so that it is downloaded again",
        )
    size = require_regular(path)
    most = min(MOST_UNPACKED * size + SLACK_BYTES, LARGEST_TEXT)
    length = size
    if path.suffix == ".gz":
        try:
            length = _unpacked_bytes(path, most)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(path, " ".join(str(error).split()), request) from None
    if length > most:
        raise damaged(path, f"its {size:,} bytes unpack to more than {most:,}", request)
    # A number takes two characters at least, and eight bytes once read; the reader holds it twice for a moment.
    require_memory(8 * length, f"what {path.name} holds")


def _unpacked_bytes(path: Path, most: int) -> int:
    """The length of a gzipped file once unpacked, counted no further than just above ``most``."""
    length = 0
    with gzip.open(path) as file:
        while length <= most and (chunk := file.read(1 << 20)):
            length += len(chunk)
    return length


def whole_numbers(path: Path, request: Request, *, rows: int | None = None, columns: int | None = None) -> Tensor:
    """Read a table of integers.

    Args:
        path: The file, gzipped where its name ends in ``.gz``.
        request: Of the recipe, for errors.
        rows: Rows that it must have; None for any.
        columns: Columns that it must have; None for any.

    Returns:
        (rows, columns), int64.

    Raises:
        UserError: As in :func:`numbers`; or it has fractions, or another number of rows.
    """
    table = numbers(path, request, columns)
    if table.is_floating_point():
        raise damaged(path, "expected integers, found fractions", request)
    if rows is not None and len(table) != rows:
        raise damaged(path, f"it has {len(table)} rows, expected {rows}", request)
    return table


def damaged(path: Path, why: str, request: Request) -> UserError:
    """Make the error for a file of a published set that is not what it should be.

    Args:
        path: The file.
        why: The fault, in words.
        request: Of the recipe.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{path.name} is damaged",
        request.origin,
        f"in       {path.parent}",
        f"why      {why}",
        fix="restore it from a copy, or remove the set's folder so that it is downloaded again",
    )
