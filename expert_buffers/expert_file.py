"""One expert's file: its header alone, and single rows of it, each read without what lies around it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers.trajectory import PER_EPOCH
from ddbench.files.strict_json import is_count, parse_json

_FIRST = 8192
"""Bytes of a file that are read at once to learn its header, which for 50 epochs is about half as long."""

_LARGEST_HEADER = 64 * 2**20

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""By the names that safetensors has for them; rows are F32 or BF16, the rest an optimizer's state may hold."""


@dataclass(frozen=True)
class TensorSpan:
    """Position of a tensor in a file."""

    dtype: torch.dtype
    """Dtype of its numbers."""
    shape: tuple[int, ...]
    """Its shape."""
    begin: int
    """Number of its first byte in the file."""


@dataclass(frozen=True)
class Header:
    """Description of a file before its tensors."""

    facts: Mapping[str, Any]
    """The description that ``artifact.save`` put there."""
    spans: Mapping[str, TensorSpan]
    """Position of each tensor, by name."""
    identity: tuple[int, ...]
    """Device, inode, size and time of the file that was read."""

    @property
    def epochs(self) -> int:
        return self.facts["epochs"]

    @property
    def widths(self) -> dict[str, int]:
        """Numbers of a row, of each tensor that has a row an epoch."""
        return {name: self.spans[name].shape[1] for name in self.facts["rows"]}


def row_sha256(row: Tensor) -> str:
    """Hash one row.

    Args:
        row: Vector on the CPU, of any dtype.

    Returns:
        SHA-256 of its bytes, in hexadecimal.
    """
    return hashlib.sha256(row.contiguous().view(torch.uint8).numpy().data).hexdigest()


def read_header(path: Path) -> Header:
    """Read the header of an expert's file, in one read of a page or two, and compare it with the file's length.

    Args:
        path: File of the expert.

    Returns:
        The description and the position of each tensor.

    Raises:
        UserError: The file is absent, cut short, not an artifact of ddbench, or of a newer one.
    """
    try:
        with _opened(path) as file:
            header = _header(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        if not isinstance(error, _EndlessHeaderError):
            artifact.describe(path)  # which knows every kind of damage by name
        raise artifact.damaged(path, f"its header is not that of an expert: {error!r}") from None
    if header.facts["schema"] > artifact.SCHEMA:
        raise artifact.newer(path, header.facts["schema"])
    return header


class ExpertFile:
    """One expert file and the rows of it that are known to be whole.

    The file is opened for each row and closed again, so that no number of experts runs into the system's limit of open
    files. Where it was replaced meanwhile, by a longer training of the same expert, its rows are checked anew.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._header = read_header(path)
        facts = self._header.facts
        self.path, self.epochs, self.sha256 = path, facts["epochs"], facts["sha256"]
        self.seconds: float = facts.get("seconds", 0.0)
        self.extendable: bool = facts.get("extendable", False)
        self._digests: dict[str, list[str]] = facts["rows"]
        self._whole: set[tuple[str, int]] = set()

    def row(self, name: str, epoch: int) -> Tensor | None:
        """Read a row, and check it against its hash the first time.

        Args:
            name: Tensor with a row an epoch: ``parameters`` or ``statistics``.
            epoch: Row, 0 to ``epochs``; 0 is the initialization.

        Returns:
            The row in memory of its own, (P,) or (Q,), in the dtype of the file; None where it is not the one written.

        Raises:
            IndexError: The expert has no such epoch.
        """
        if not 0 <= epoch <= self.epochs:
            raise IndexError(f"epoch {epoch} of an expert of {self.epochs}")
        row = self._read(name, epoch)
        if row is None or (name, epoch) in self._whole:
            return row
        if row_sha256(row) != self._digests[name][epoch]:
            return None
        self._whole.add((name, epoch))
        return row

    def has(self, name: str) -> bool:
        """Tell whether the file has rows of a name.

        Args:
            name: ``parameters`` or ``statistics``.

        Returns:
            True where it has; statistics are absent from imported experts and networks without batch norm.
        """
        return name in self._digests

    def digests(self, name: str) -> list[str]:
        return self._digests[name]

    def curves(self) -> dict[str, Tensor]:
        curves = ((name, self._read(name)) for name in PER_EPOCH if name in self._header.spans)
        return {name: values for name, values in curves if values is not None}

    def _read(self, name: str, row: int | None = None) -> Tensor | None:
        """A tensor, or one row of it; None where the file ends before it does."""
        with _opened(self.path) as file:
            if _identity(file) != self._header.identity:
                self._header = read_header(self.path)
                self._whole.clear()
            place = self._header.spans[name]
            shape = place.shape if row is None else place.shape[1:]
            tensor = torch.empty(shape, dtype=place.dtype)
            content = tensor.reshape(-1).view(torch.uint8).numpy().data
            file.seek(place.begin + (0 if row is None else row * len(content)))
            return tensor if _fill(file, content) else None


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """The file, of which the system is asked to fetch what is read and nothing around it."""
    try:
        opened = FileIO(path)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", fix="check the path") from None
    with opened as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        yield file


def _identity(file: FileIO) -> tuple[int, ...]:
    about = os.fstat(file.fileno())
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _fill(file: FileIO, content: memoryview) -> bool:
    """Whether the file had as many bytes; a single read returns at most two gigabytes."""
    done = 0
    while done < len(content):
        got = file.readinto(content[done:])
        if not got:
            return False
        done += got
    return True


class _EndlessHeaderError(ValueError):
    """A header longer than any buffer has, which is not to be read by anybody."""


def _header(file: FileIO) -> Header:
    """Errors: ValueError, KeyError, TypeError, AttributeError, RecursionError where it is none, or the file is cut."""
    identity = _identity(file)
    size = identity[2]
    file.seek(0)
    first = file.read(_FIRST)
    data = 8 + int.from_bytes(first[:8], "little")
    if len(first) < 8 or data > size:
        raise ValueError("the file ends within its header")
    if data > _LARGEST_HEADER:
        raise _EndlessHeaderError(f"its header has {data} bytes")
    rest = bytearray(max(data - len(first), 0))
    if not _fill(file, memoryview(rest)):
        raise ValueError("the file ends within its header")
    document = parse_json(bytes(first + rest)[8:data])
    facts = artifact.description_in(document.pop("__metadata__"))
    spans: dict[str, TensorSpan] = {}
    end = 0
    for name, entry in sorted(document.items(), key=lambda item: item[1]["data_offsets"]):
        begin, after = entry["data_offsets"]
        if not all(map(is_count, (begin, after, *entry["shape"]))):
            raise ValueError(f"the place of {name} is not told in whole numbers")
        place = TensorSpan(_DTYPES[entry["dtype"]], tuple(entry["shape"]), data + begin)
        if begin != end or after - begin != prod(place.shape) * place.dtype.itemsize:
            raise ValueError(f"the place of {name} is not as large as its shape")
        spans[name], end = place, after
    if data + end != size:
        raise ValueError("the file is not as long as its header says")
    _require_facts(facts, spans)
    return Header(facts, spans, identity)


def _require_facts(facts: Any, spans: Mapping[str, TensorSpan]) -> None:
    """Errors: KeyError, TypeError, ValueError for facts that are not whole, or that the tensors contradict."""
    if not all(is_count(facts[name]) and facts[name] > 0 for name in ("schema", "epochs")):
        raise ValueError("schema or epochs is not a count")
    seconds = facts.get("seconds", 0.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise ValueError("seconds is not a duration")
    if not isinstance(facts["sha256"], str) or not isinstance(facts.get("extendable", False), bool):
        raise TypeError("sha256 or extendable is of another type")
    if "parameters" not in facts["rows"]:
        raise ValueError("it has no hashes of its parameters")
    for name, hashes in facts["rows"].items():
        if not isinstance(hashes, list) or not all(isinstance(one, str) for one in hashes):
            raise TypeError(f"the hashes of {name} are of another type")
        shape = spans[name].shape
        if len(shape) != 2 or not len(hashes) == shape[0] == facts["epochs"] + 1:
            raise ValueError(f"{name} has no row for each of {facts['epochs']} epochs and the initialization")
