"""Identity by content: the hash of what is read, and stored arrays that are checked against theirs."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError

SETTLED_NS = 2_000_000_000
"""A file that changed less than two seconds ago may change again without its times showing it."""
ALWAYS_HASHED = 1 << 28
"""Bytes up to which a stored array is hashed by every process; above, the state of its file may stand for it."""
_CHUNK = 1 << 24
_verified: set[tuple[str, str, str]] = set()


def files_state(paths: Iterable[str | Path]) -> str | None:
    """A hash that changes whenever one of these files may have changed.

    Path, device, inode, size and both times count. The time of change of an inode (ctime) cannot be set, so that
    neither a change in place with times kept, nor another file under the name, goes unseen.

    Args:
        paths: Files, in order.

    Returns:
        Hexadecimal digits; None where the system keeps no such times, a file is absent or has just changed, or there
        is no file: then content alone can tell.
    """
    states = hashlib.sha256()
    newest, count = 0, 0
    try:
        for path in paths:
            state = os.stat(path)
            if os.name != "posix" or not state.st_ino or not state.st_ctime_ns:
                return None
            numbers = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            states.update(os.fsencode(os.path.abspath(path)) + b"\0" + " ".join(map(str, numbers)).encode() + b"\0")
            newest, count = max(newest, state.st_ctime_ns), count + 1
    except OSError:
        return None
    return states.hexdigest() if count and newest < time.time_ns() - SETTLED_NS else None


def read_hint(home: Path, state: str | None) -> str | None:
    """The hash of content that was computed when files were in this state; None where none is kept."""
    if state is None:
        return None
    found = read_note(_hint(home, state))
    content = found.get("sha256") if found is not None and found.get("state") == state else None
    return content if isinstance(content, str) else None


def keep_hint(home: Path, state: str | None, content: str) -> None:
    """Keep the hash of content of files in this state. That it cannot be kept is no error: it saves time alone."""
    if state is not None:
        with suppress(OSError, UserError):
            artifact.write_json(_hint(home, state), {"kind": "content of files", "state": state, "sha256": content})


def drop_hint(home: Path, state: str | None) -> None:
    """Forget the hash of files in this state."""
    if state is not None:
        with suppress(OSError):
            _hint(home, state).unlink(missing_ok=True)


def _hint(home: Path, state: str) -> Path:
    return home / "data" / "hints" / f"{state[:32]}.json"


def read_note(path: Path) -> dict[str, Any] | None:
    """A small JSON document of a cache; None where it is absent or damaged: what it describes is then made anew."""
    try:
        found = artifact.read_json(path, "note")
    except (OSError, UserError):
        return None
    return found if isinstance(found, dict) else None


def open_array(path: Path, shape: Sequence[int], dtype: Any = np.uint8) -> Tensor | None:
    """A memory map of a .npy file, copied on write so that the file never changes.

    Args:
        path: The file.
        shape: Its shape.
        dtype: Its type.

    Returns:
        The array; None where the file is absent, damaged, or of another shape or type.
    """
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception:  # a damaged header can make the reader fail in any way
        return None
    if not isinstance(array, np.memmap) or array.shape != tuple(shape) or array.dtype != np.dtype(dtype):
        return None
    return torch.from_numpy(array)


def open_verified(path: Path, shape: Sequence[int], sha256: Any, dtype: Any = np.uint8) -> Tensor | None:
    """The same, its bytes checked against their hash once a process; None also where they differ.

    An array above ALWAYS_HASHED is taken for checked where its file is in the state in which it was checked before.
    """
    found = open_array(path, shape, dtype)
    if found is None or not isinstance(sha256, str):
        return None
    state = _state(path)
    mark = (os.path.abspath(path), state, sha256)
    if mark in _verified:
        return found
    note, settled = path.with_name(f".{path.name}.verified.json"), files_state([path])
    if found.nbytes > ALWAYS_HASHED and settled is not None:
        known = read_note(note)
        if known is not None and (known.get("state"), known.get("sha256")) == (settled, sha256):
            _verified.add(mark)
            return found
    if array_sha256(found) != sha256:
        return None
    if found.nbytes > ALWAYS_HASHED and settled is not None:
        with suppress(OSError, UserError):
            artifact.write_json(note, {"kind": "verified array", "state": settled, "sha256": sha256})
    _verified.add(mark)
    return found


def array_sha256(array: Tensor) -> str:
    """SHA-256 of the bytes of a contiguous array, without its shape."""
    values = array.numpy().reshape(-1).view(np.uint8)
    digest = hashlib.sha256()
    for start in range(0, len(values), _CHUNK):
        digest.update(values[start : start + _CHUNK].data)
    return digest.hexdigest()


def _state(path: Path) -> str:
    state = os.stat(path)
    return f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
