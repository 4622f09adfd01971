"""Atomic writing: a file is made beside its place, flushed and renamed, and what killed writers left is removed."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ddbench.errors import UserError
from ddbench.files.process_identity import identity_in, this_process

OLD_SECONDS = 3600.0
"""Age at which a temporary file counts as left over, where nothing is known of the process that writes it."""

_LONGEST_NAME = 120
"""Bytes of a file's name that are repeated in that of its temporary file; file systems allow 255 in all."""

_swept: set[tuple[int, Path]] = set()
"""Folders that this process (by number) has swept."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed and renamed to ``path``, else removed.

    The temporary name says which process writes it, and has random letters, so that no two writers meet. The file gets
    the permissions that the umask gives any new file, whatever the library that writes it chooses. The first writing
    into a folder removes what killed processes left there.

    Args:
        path: The file to make or to replace. Its folder is made where it is missing.

    Yields:
        The path to write to.

    Raises:
        UserError: The disk is full; whatever was at ``path`` before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(temporary_name(path.name))
    if (os.getpid(), path.parent) not in _swept:
        _swept.add((os.getpid(), path.parent))
        sweep(path.parent)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        with suppress(OSError):  # file systems without permissions
            part.chmod(0o666 & ~_umask())
        os.replace(part, path)
    except Exception as error:
        if is_disk_full(error):
            raise UserError(
                f"the disk is full: {path.name} could not be written",
                f"in    {path.parent}",
                "kept  everything written before it",
                fix="free some space, or choose another folder with --home, and run the same command again",
            ) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def temporary_name(name: str) -> str:
    """Make a hidden name for a file that is being written: it says who writes it, and no other writer has it.

    Args:
        name: Name that the file will have.

    Returns:
        Name of the temporary file.
    """
    short = os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])
    return f".{short}.{this_process().token}.{secrets.token_hex(4)}.part"


def sweep(folder: Path) -> None:
    """Remove the temporary files of a folder whose writers have ended, or of which nothing is known for an hour.

    Args:
        folder: The folder; its own folders are left alone.
    """
    with suppress(OSError):
        parts = [entry for entry in os.scandir(folder) if entry.name.startswith(".") and entry.name.endswith(".part")]
        for entry in parts:
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False) and _is_left_over(entry):
                    os.unlink(entry.path)


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    writer = identity_in(entry.name)
    fate = "elsewhere" if writer is None else writer.fate()
    if fate != "elsewhere":
        return fate == "ended"
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD_SECONDS


def _umask() -> int:
    """The permissions that new files of this process do not get."""
    with suppress(OSError, ValueError, StopIteration):
        status = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def is_disk_full(error: BaseException) -> bool:
    """Check whether an exception, of whichever library, means that the disk has no room.

    Args:
        error: The exception.

    Returns:
        True where it does.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    if "unexpected pos" in str(error):  # what torch.save says of a write that came out short
        return True
    return any(f"(os error {number})" in str(error) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
