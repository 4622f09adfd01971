"""Telling files that can be read to their end from folders, pipes and devices, before anything is opened."""

from __future__ import annotations

import stat
from pathlib import Path

from ddbench.errors import UserError

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def require_regular(path: Path) -> None:
    """See that a path is a file that can be read to its end, through links; nothing is opened.

    Raises:
        UserError: Where it is not, which says what it is.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(
                f"{path} is a link to nothing", f"to    {path.readlink()}", fix="fetch the file, or remove the link"
            ) from None
        raise UserError(f"there is no file {path}", fix="check the path") from None
    except (OSError, ValueError) as error:  # a name of 300 letters, one with a zero in it, a loop of links
        raise UserError(f"there is no file {str(path)[:80]!r}", f"why   {error}", fix="check the path") from None
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "a device")
        raise UserError(f"{path} is {kind}, not a file", fix="give a file")
