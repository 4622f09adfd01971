"""Fetching a published archive of text files: whole or not at all, and nothing but the texts."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from ddbench.artefact import is_disk_full
from ddbench.data.rawdata import Request
from ddbench.errors import UserError

TIMEOUT = 30  # seconds without a byte


def fetch_texts(url: str, folder: Path, suffix: str, request: Request) -> None:
    """Download a zip file and unpack its members that end in ``suffix`` into ``folder``, without their top folder.

    ``folder`` appears when all of them are there. Other members, and those that would leave the folder, are not
    unpacked. Errors: UserError that says where to put the files by hand when they cannot be had.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        _download(url, part / "archive", request)
        with zipfile.ZipFile(part / "archive") as archive:
            unpacked = _unpack(archive, part / "texts", suffix)
        if not unpacked:
            raise zipfile.BadZipFile(f"there is no {suffix} file in it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():  # another process may have been quicker
            (part / "texts").replace(folder)
    except (OSError, zipfile.BadZipFile) as error:
        if is_disk_full(error):
            raise UserError(
                f"the disk is full: {request.what} could not be downloaded",
                f"to       {folder}",
                fix="free some space, or choose another folder with --home",
            ) from None
        raise UserError(
            f"{request.what} is not under the data root and could not be downloaded",
            request.origin,
            f"from     {url}",
            f"why      {' '.join(str(error).split())}",
            f"expected {folder}",
            fix=_fix(error, url),
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fix(error: Exception, url: str) -> str:
    if isinstance(error, urllib.error.HTTPError) and error.code in (403, 404):
        return "check the name: the server has no such set, and names are told apart by capital letters"
    return f"fetch {url} and unpack it there, or give the folder that has it with --data-root"


def _download(url: str, path: Path, request: Request) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0) or None
        with tqdm(
            total=size,
            desc=f"downloading {request.what}",
            unit="B",
            unit_scale=True,
            disable=True if request.quiet else None,
        ) as bar:
            while chunk := answer.read(1 << 16):
                file.write(chunk)
                bar.update(len(chunk))


def _unpack(archive: zipfile.ZipFile, folder: Path, suffix: str) -> int:
    """How many members were unpacked."""
    count = 0
    for member in archive.infolist():
        inner = PurePosixPath(member.filename).parts[1:]
        if not inner or ".." in inner or member.is_dir() or not member.filename.endswith(suffix):
            continue
        path = folder.joinpath(*inner)
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        count += 1
    return count
