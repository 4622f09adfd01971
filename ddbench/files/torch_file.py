"""Reading ``.pt`` files of strangers: tensors, lists, dictionaries and plain numbers, never a line of their code."""

from __future__ import annotations

import io
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.files.pickle_scan import MOST_BYTES, PickleScanError, scan_pickle
from ddbench.files.pickled_numbers import NUMBERS
from ddbench.files.regular_file import require_regular
from ddbench.files.torch_tensors import check_records

LARGEST = 8 * 2**30
"""Bytes of a file that are read at most: a distilled set of ImageNet-1K at 64 pixels and 50 images a class has 3 GB."""
_DTYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
}


@dataclass(frozen=True, kw_only=True)
class Content:
    """A kind of content that a ``.pt`` file may have, and how much of it is read."""

    what: str
    """In words, for messages."""
    largest: int
    """Bytes of a file."""
    instructions: int
    """Bytes of the pickle that describes its tensors."""
    values: int
    """How many numbers, names and containers beside tensors."""
    mapped: bool
    """Whether tensors stay in the file until they are looked at, so that memory does not grow with it."""
    resave: str
    """The line of torch that makes it plain."""


SYNTHETIC = Content(
    what="a synthetic set",
    largest=LARGEST,
    instructions=MOST_BYTES,
    values=1_000_000,
    mapped=False,
    resave="save images and labels again as tensors:  torch.save((images, labels), NEW_FILE)",
)
EXPERTS = Content(
    what="a file of experts",
    largest=256 * 2**30,
    instructions=256 * 2**20,
    values=20_000_000,
    mapped=True,
    resave="save it again as tensors:  torch.save([[[p.detach() for p in s] for s in e] "
    "for e in torch.load(FILE, weights_only=False)], NEW_FILE)",
)
WEIGHTS = Content(
    what="a network's weights",
    largest=64 * 2**30,
    instructions=MOST_BYTES,
    values=1_000_000,
    mapped=False,
    resave="save them again as tensors:  torch.save(network.state_dict(), NEW_FILE)",
)


def read_torch(path: Path, content: Content = SYNTHETIC) -> Any:
    """Read what ``torch.save`` wrote to a file, to the CPU.

    Nothing is unpickled beyond ``torch.load(weights_only=True)`` and numpy's plain numbers, which come as Python's.

    Args:
        path: The file.
        content: What it should hold, which says how large it may be.

    Returns:
        Tensors in lists, tuples and dictionaries, as they were saved.

    Raises:
        UserError: When the file is absent, damaged, compressed, too large, needs code to be run, or holds tensors that
            claim more than the file has.
    """
    size = require_file(path, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged files make the readers wonder aloud
            value = _read(path, size, content)
    except (UserError, MemoryError):
        raise
    except PickleScanError as error:
        raise _needs_code(path, error, content) from None
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise unreadable(path, error) from None
    _check_tensors(value, path, size, content)
    return value


def _read(path: Path, size: int, content: Content) -> Any:
    with path.open("rb") as file:
        begin = file.read(4)
    archive = begin == b"PK\x03\x04"
    if archive:
        _check_archive(path, size, content)
    elif begin[:1] == b"\x80":
        _check_legacy(path, content)
    else:
        raise unreadable(path, "it begins with neither of the two things that torch.save writes")
    with torch.serialization.safe_globals(NUMBERS):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=archive and content.mapped)


def require_file(path: Path, content: Content = SYNTHETIC) -> int:
    """Check that a path leads to a file that may be read.

    Args:
        path: The file.
        content: What it should hold, which says how large it may be.

    Returns:
        Its size in bytes.

    Raises:
        UserError: There is none, it is no regular file, it is empty, or larger than such content is.
    """
    require_regular(path)
    size = path.stat().st_size
    if not size:
        raise UserError(f"{path} is empty", fix="copy it again from where it came")
    if size > content.largest:
        raise UserError(
            f"{path} is too large for {content.what}",
            f"size  {size / 2**30:.1f} GiB; at most {content.largest / 2**30:.0f} GiB are read",
            fix="give the file of the distilled images, or split it by class"
            if content is SYNTHETIC
            else "check the path, or split it into several files",
        )
    return size


def unreadable(path: Path, error: Exception | str) -> UserError:
    """Make the error for a file that is damaged or something else.

    Args:
        path: The file.
        error: What went wrong.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{path} can not be read: it is damaged, or something else",
        f"why   {_summary_of(error)}",
        fix="copy it again from where it came, and compare its checksum where one is published",
    )


def _check_archive(path: Path, size: int, content: Content) -> None:
    """Refuse a zip file whose entries are compressed, damaged, or together larger than the file."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UserError(
                f"{path} is a compressed archive, and torch.save writes none",
                fix="unpack it, and give the .pt file inside",
            )
        claimed = sum(entry.file_size for entry in entries)
        if claimed > size:
            raise UserError(
                f"{path} claims to hold more than it does",
                f"found {size} bytes that unpack to {claimed}",
                fix="do not use this file; ask where it came from for another",
            )
        if (damaged := archive.testzip()) is not None:
            raise unreadable(path, f"the checksum of {damaged} is wrong")
        names = [entry.filename for entry in entries]
        pickles = [name for name in names if name.endswith("data.pkl")]
        if len(pickles) != 1 or len(set(names)) < len(names):
            raise unreadable(path, "it is no archive that torch.save writes")
        if archive.getinfo(pickles[0]).file_size > content.instructions:
            raise PickleScanError("it holds far more than a few tensors")
        pickled = archive.read(pickles[0])
    scan_pickle(io.BytesIO(pickled), content.instructions)
    folder = pickles[0].removesuffix("data.pkl") + "data/"
    check_records(pickled, {e.filename.removeprefix(folder): e.file_size for e in entries if folder in e.filename})


def _check_legacy(path: Path, content: Content) -> None:
    """The same for what torch before 1.6 wrote: five pickles, then the bytes of the tensors."""
    with path.open("rb") as file:
        for _ in range(5):
            scan_pickle(file, content.instructions)


def _check_tensors(value: Any, path: Path, size: int, content: Content) -> None:
    """Refuse a tensor anywhere inside that is not plain numbers, or has more of them than the file."""
    waiting, seen = [value], set()
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, Tensor):
            _check_tensor(inner, path, size, content)
        elif isinstance(inner, dict | list | tuple | set) and id(inner) not in seen:
            seen.add(id(inner))
            waiting += [*inner, *inner.values()] if isinstance(inner, dict) else inner
        if len(waiting) > content.values:
            raise UserError(
                f"{path} holds over {content.values:,} values apart from tensors", fix=f"give {content.what}'s file"
            )


def _check_tensor(tensor: Tensor, path: Path, size: int, content: Content) -> None:
    plain = type(tensor) in (Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    if not plain or tensor.device.type != "cpu" or tensor.is_quantized or tensor.dtype not in _DTYPES:
        raise UserError(
            f"{path} holds a tensor of a kind that {content.what} does not have",
            f"found {tensor.dtype}, {tensor.layout}, on {tensor.device.type}",
            fix="save it again as a dense tensor of float32, or of int64 for labels",
        )
    if tensor.numel() * tensor.element_size() > size:
        raise UserError(
            f"{path} claims to hold more than it does",
            f"found a tensor of shape {tuple(tensor.shape)} in {size} bytes",
            fix="save it again with .contiguous(), or, where it is not yours, do not use it",
        )


def _needs_code(path: Path, error: Exception, content: Content) -> UserError:
    return UserError(
        f"{path} holds more than plain tensors and numbers; reading the rest could run code that it brings along",
        f"why   {_summary_of(error)}",
        fix=f"where you trust it, {content.resave}",
    )


def _summary_of(error: Exception | str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in first[:200])
