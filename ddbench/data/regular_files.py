"""Reads files that may be anything: regular ones alone are opened, and of those no more than a bound is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ddbench.errors import UserError


def printable(path: str | Path) -> str:
    """A path as text that every terminal and file can take; bytes that are not UTF-8 are shown as ``\\xe9``."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def require_regular(path: str | Path) -> int:
    """Check that a path leads to a regular file.

    Args:
        path: The file, or a link to it.

    Returns:
        Its size in bytes.

    Raises:
        UserError: Nothing is there, a link leads to nothing, or it is a pipe, a device or a folder.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        raise _absent(path, error) from None
    _require(state, path)
    return state.st_size


def read_regular(path: str | Path, most: int) -> bytes:
    """Read a whole regular file.

    Args:
        path: The file, or a link to it.
        most: Bytes from which on a file is refused.

    Returns:
        Its content.

    Raises:
        UserError: As in ``require_regular``, for a larger file, and for one that the system cannot read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise _absent(path, error) from None
    with open(number, "rb") as file:
        state = os.fstat(number)
        _require(state, path)
        if state.st_size > most:
            raise UserError(
                f"{printable(path)} is too large for one image",
                f"size  {state.st_size:,} bytes; at most {most:,} are read",
                fix="replace or remove it",
            )
        try:
            return file.read(most)
        except OSError as error:
            raise _absent(path, error) from None


def _require(state: os.stat_result, path: str | Path) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = next(
            (
                word
                for test, word in (
                    (stat.S_ISDIR, "a folder"),
                    (stat.S_ISFIFO, "a pipe"),
                    (stat.S_ISSOCK, "a socket"),
                    (stat.S_ISCHR, "a device"),
                    (stat.S_ISBLK, "a device"),
                )
                if test(state.st_mode)
            ),
            "no regular file",
        )
        raise UserError(f"{printable(path)} is {kind}, and a file is needed", fix="replace or remove it")


def _absent(path: str | Path, error: Exception) -> UserError:
    shown = printable(path)
    if os.path.islink(path) and not os.path.exists(path):
        return UserError(
            f"{shown} is a link to nothing",
            f"it leads to  {printable(os.readlink(path))}",
            fix="fetch the data that it stands for (git annex get, dvc pull), or remove it",
        )
    if isinstance(error, FileNotFoundError):
        return UserError(f"there is no file {shown}", fix="check the path")
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"{shown} cannot be read", f"why   {why}", fix="check the path and its permissions")
