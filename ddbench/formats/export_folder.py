"""A folder that is whole or absent, and never written over another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddbench.errors import UserError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Make a folder that becomes ``out`` once all in it is written; if anything fails, it is removed.

    Args:
        out: Folder to write.

    Yields:
        The folder to write into.

    Raises:
        UserError: Something lies at ``out`` already, but for an empty folder.
    """
    out = out.resolve()
    refuse_taken(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        yield part
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def refuse_taken(out: Path) -> None:
    """Refuse to write over anything.

    Args:
        out: File or folder to write.

    Raises:
        UserError: There is a file at ``out``, or a folder with something in it.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"there is something at {out} already", fix="export to another place, or delete it first")


def file_in(out: Path, suffix: str, name: str) -> Path:
    """Choose the file to write where one file is all.

    Args:
        out: File or folder that the user gave.
        suffix: Ending of such files.
        name: Name of the file in a folder.

    Returns:
        ``out`` itself if it ends so, else ``name`` in the folder ``out``.

    Raises:
        UserError: The file exists.
    """
    file = out if out.suffix == suffix else out / name
    if file.exists():
        raise UserError(f"there is something at {file} already", fix="export to another place, or delete it first")
    return file
