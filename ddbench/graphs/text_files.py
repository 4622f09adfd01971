"""Tables of numbers in text files, gzipped or not, as graph sets are published."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench.data.rawdata import Request
from ddbench.errors import UserError


def numbers(path: Path, request: Request, columns: int | None = None) -> Tensor:
    """The file's rows, (rows, columns): int64 where every number is whole, else float64.

    columns: how many are expected, if that is known. Values are separated by commas. Nothing in the file is run.
    Errors: UserError that names the file when it is absent, damaged, or has other columns.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")
            read = np.loadtxt(path, delimiter=",", ndmin=2, comments=None)
    except FileNotFoundError:
        raise UserError(
            f"{path.name} is missing",
            request.origin,
            f"expected {path}",
            fix="put the whole set there, or remove its folder so that it is downloaded again",
        ) from None
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise damaged(path, " ".join(str(error).split()), request) from None
    if read.size == 0:
        return torch.zeros(0, columns or 1, dtype=torch.int64)
    if columns is not None and read.shape[1] != columns:
        raise damaged(path, f"it has {read.shape[1]} columns, expected {columns}", request)
    if not np.isfinite(read).all():
        raise damaged(path, "not all of its values are finite numbers", request)
    table = torch.from_numpy(read)
    return table.long() if bool((table == table.round()).all()) else table


def whole_numbers(path: Path, request: Request, *, rows: int | None = None, columns: int | None = None) -> Tensor:
    """The same, all integers, (rows, columns). Errors: UserError also for fractions and another number of rows."""
    table = numbers(path, request, columns)
    if table.is_floating_point():
        raise damaged(path, "expected integers, found fractions", request)
    if rows is not None and len(table) != rows:
        raise damaged(path, f"it has {len(table)} rows, expected {rows}", request)
    return table


def damaged(path: Path, why: str, request: Request) -> UserError:
    """The error for a file of a published set that is not what it should be."""
    return UserError(
        f"{path.name} is damaged",
        request.origin,
        f"in       {path.parent}",
        f"why      {why}",
        fix="restore it from a copy, or remove the set's folder so that it is downloaded again",
    )
