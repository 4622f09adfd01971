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
    """Read the hash of content that was computed when files were in some state.

    Args:
        home: Folder of caches.
        state: What :func:`files_state` gives for the files.

    Returns:
        SHA-256 of their content; None where none is kept.
    """
    if state is None:
        return None
    hint = read_note(_hint(home, state))
    content = hint.get("sha256") if hint is not None and hint.get("state") == state else None
    return content if isinstance(content, str) else None


def keep_hint(home: Path, state: str | None, content: str) -> None:
    """Keep the hash of content of files in some state. That it cannot be kept is no error: it saves time alone.

    Args:
        home: Folder of caches.
        state: What :func:`files_state` gives for the files; None keeps nothing.
        content: SHA-256 of their content.
    """
    if state is not None:
        with suppress(OSError, UserError):
            artifact.write_json(_hint(home, state), {"kind": "content of files", "state": state, "sha256": content})


def drop_hint(home: Path, state: str | None) -> None:
    """Delete the hash of files in some state.

    Args:
        home: Folder of caches.
        state: What :func:`files_state` gives for the files.
    """
    if state is not None:
        with suppress(OSError):
            _hint(home, state).unlink(missing_ok=True)


def _hint(home: Path, state: str) -> Path:
    return home / "data" / "hints" / f"{state[:32]}.json"


def read_note(path: Path) -> dict[str, Any] | None:
    """Read a small JSON document of a cache.

    Args:
        path: The file.

    Returns:
        The document; None where it is absent or damaged: what it describes is then made anew.
    """
    try:
        document = artifact.read_json(path, "note")
    except (OSError, UserError):
        return None
    return document if isinstance(document, dict) else None


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
    """Open an array as :func:`open_array` does, its bytes checked against their hash once a process.

    An array above ALWAYS_HASHED is taken for checked where its file is in the state in which it was checked before.

    Args:
        path: The file.
        shape: Its shape.
        sha256: Hash of its bytes; anything but text matches nothing.
        dtype: Its type.

    Returns:
        The array; None where the file is absent, damaged, of another shape or type, or has other bytes.
    """
    array = open_array(path, shape, dtype)
    if array is None or not isinstance(sha256, str):
        return None
    state = _state(path)
    key = (os.path.abspath(path), state, sha256)
    if key in _verified:
        return array
    note, settled = path.with_name(f".{path.name}.verified.json"), files_state([path])
    if array.nbytes > ALWAYS_HASHED and settled is not None:
        known = read_note(note)
        if known is not None and (known.get("state"), known.get("sha256")) == (settled, sha256):
            _verified.add(key)
            return array
    if array_sha256(array) != sha256:
        return None
    if array.nbytes > ALWAYS_HASHED and settled is not None:
        with suppress(OSError, UserError):
            artifact.write_json(note, {"kind": "verified array", "state": settled, "sha256": sha256})
    _verified.add(key)
    return array


def array_sha256(array: Tensor) -> str:
    """Hash the bytes of a contiguous array, without its shape.

    Args:
        array: On the CPU, of any type.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    values = array.numpy().reshape(-1).view(np.uint8)
    digest = hashlib.sha256()
    for start in range(0, len(values), _CHUNK):
        digest.update(values[start : start + _CHUNK].data)
    return digest.hexdigest()


def _state(path: Path) -> str:
    state = os.stat(path)
    return f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
