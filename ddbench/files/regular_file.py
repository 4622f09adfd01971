"""Regular files: told from folders, pipes and devices before anything is read, and read within a bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ddbench.errors import UserError

_OTHER_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def shown_path(path: str | Path) -> str:
    """Turn a path into text that every terminal and file takes.

    Args:
        path: The path.

    Returns:
        Its text; bytes that are not UTF-8 are shown as ``\\xe9``.
    """
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def require_regular(path: str | Path) -> int:
    """Check that a path leads to a regular file, without opening it.

    Args:
        path: The file, or a link to it.

    Returns:
        Its size in bytes.

    Raises:
        UserError: Nothing is there, a link leads to nothing, or it is a folder, a pipe or a device.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        raise _absent(path, error) from None
    _require_kind(state, path)
    return state.st_size


def read_regular(path: str | Path, kind: str = "file", *, most: int, fix: str = "check the path") -> bytes:
    """Read a whole regular file.

    Args:
        path: The file, or a link to it.
        kind: What it should be, for errors, such as "row of the leaderboard".
        most: Bytes that it may have.
        fix: Helps where the file is too large, or not regular.

    Returns:
        All its bytes.

    Raises:
        UserError: As in :func:`require_regular`, for a larger file, and for one that the system can not read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise _absent(path, error, kind) from None
    try:
        _require_kind(os.fstat(number), path, kind, fix)
    except UserError:
        os.close(number)
        raise
    with open(number, "rb") as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise _absent(path, error, kind) from None
    if len(content) > most:
        raise UserError(f"{shown_path(path)} is too large for a {kind}", f"limit {most:,} bytes", fix=fix)
    return content


def _require_kind(
    state: os.stat_result, path: str | Path, kind: str = "file", fix: str = "replace or remove it"
) -> None:
    if not stat.S_ISREG(state.st_mode):
        other = next((word for test, word in _OTHER_KINDS if test(state.st_mode)), "something else")
        raise UserError(f"{shown_path(path)} is {other}, and no regular file, as a {kind} is", fix=fix)


def _absent(path: str | Path, error: Exception, kind: str = "file") -> UserError:
    shown = shown_path(path) if len(str(path)) < 300 else f"{shown_path(path)[:80]}..."
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.islink(path):
            return UserError(
                f"{shown} is a link to nothing",
                f"to    {shown_path(os.readlink(path))}",
                fix="fetch the data that it stands for (git annex get, dvc pull), or remove it",
            )
        return UserError(f"there is no {kind} {'' if kind == 'file' else 'at '}{shown}", fix="check the path")
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"{shown} can not be read", f"why   {why}", fix="check the path and its permissions")
