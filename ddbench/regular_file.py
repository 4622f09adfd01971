"""Reading of small files whole: regular ones only, and none larger than it may be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ddbench.errors import UserError


def read_regular(path: Path, kind: str, *, most: int, fix: str = "check the path") -> bytes:
    """The content of a file.

    Args:
        path: The file.
        kind: What it should be, for errors, as "row of the leaderboard".
        most: Bytes that it may have.
        fix: What helps where the file is too large or none.

    Returns:
        All its bytes.

    Raises:
        UserError: It is absent, a folder, a pipe or a device, or larger than ``most``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise UserError(f"there is no {kind} at {path}", fix="check the path") from None
    except ValueError as error:  # a path with a zero byte
        raise UserError(f"{str(path)!r} can not be the path of a {kind}: {error}", fix="check the path") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UserError(f"{path} is not a {kind}: it is no regular file", fix=fix)
    with open(handle, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{path} is too large for a {kind}", f"limit {most:,} bytes", fix=fix)
    return content
