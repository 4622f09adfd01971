"""Fetching a published archive of text files: whole or not at all, and nothing but the texts."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from ddbench.artifact import is_disk_full
from ddbench.data.rawdata import Request
from ddbench.errors import UserError

TIMEOUT = 30  # seconds without a byte
LARGEST_ARCHIVE = 8 << 30
LARGEST_UNPACKED = 16 << 30
"""Bytes of all texts of a set; those of the largest published one have about 10 GB."""
MOST_UNPACKED = 100
"""Times its own size that an archive may unpack to; numbers in text compress to a tenth or so."""
SLACK_BYTES = 1 << 28
MOST_MEMBERS = 10_000


class NotHereError(UserError):
    """A set that is not on this machine, where nothing may be downloaded."""


def fetch_texts(url: str, folder: Path, suffix: str, request: Request) -> None:
    """Download a zip file and unpack its members that end in ``suffix`` into ``folder``, without their top folder.

    ``folder`` appears when all of them are there. Other members, and those that would leave the folder, are not
    unpacked.

    Args:
        url: Of the archive.
        folder: Where the texts go.
        suffix: What their names end in.
        request: Of the recipe.

    Raises:
        UserError: They cannot be had, with where to put them by hand; or the archive is damaged, or unpacks to more
            than it can hold.
        NotHereError: Nothing may be downloaded.
    """
    if not request.download:
        raise NotHereError(
            f"{request.what} is not on this machine", request.origin, f"expected {folder}", fix=f"fetch {url}"
        )
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        _download(url, part / "archive", request)
        with zipfile.ZipFile(part / "archive") as archive:
            unpacked = _unpack(archive, part / "texts", suffix, (part / "archive").stat().st_size)
        if not unpacked:
            raise zipfile.BadZipFile(f"there is no {suffix} file in it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():  # another process may have been quicker
            (part / "texts").replace(folder)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # no network, or an archive that is damaged, which can make its reader fail in any way
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
                if file.tell() > LARGEST_ARCHIVE:
                    raise _too_much(request, f"the server sends more than {LARGEST_ARCHIVE:,} bytes")
                file.write(chunk)
                bar.update(len(chunk))


def _unpack(archive: zipfile.ZipFile, folder: Path, suffix: str, size: int) -> int:
    """Unpack the texts of an archive of ``size`` bytes. Returns how many there are.

    The reader gives no more bytes of a member than its entry claims, so that the claims are what is bounded.
    """
    members = [(member, inner) for member in archive.infolist() if (inner := _inner(member, suffix)) is not None]
    claimed = sum(member.file_size for member, _ in members)
    if len(members) > MOST_MEMBERS or claimed > min(MOST_UNPACKED * size + SLACK_BYTES, LARGEST_UNPACKED):
        raise zipfile.BadZipFile(
            f"its {len(members):,} texts would unpack to {claimed:,} bytes, from {size:,}: that is no set of graphs"
        )
    for member, inner in members:
        path = folder.joinpath(*inner)
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
    return len(members)


def _inner(member: zipfile.ZipInfo, suffix: str) -> tuple[str, ...] | None:
    """The path of a text below the top folder of its archive; None for anything else, and for what would leave it."""
    inner = PurePosixPath(member.filename).parts[1:]
    if not inner or ".." in inner or member.is_dir() or not member.filename.endswith(suffix):
        return None
    return inner


def _too_much(request: Request, why: str) -> UserError:
    return UserError(
        f"{request.what} is too large to be a set of graphs",
        request.origin,
        f"why      {why}",
        fix="fetch it by hand, and give the folder that has it with --data-root",
    )
