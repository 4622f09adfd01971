"""Locks on folders of a home that several processes and machines share: who works in one, and since when."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ddbench.files.atomic_write import sweep, temporary_name
from ddbench.files.process_identity import ProcessIdentity, this_process
from ddbench.files.strict_json import parse_json

LOCK = ".lock"
"""The file that says who works in the folder it lies in."""

HEARTBEAT_SECONDS = 15.0
"""Time between two signs of life of whoever holds a lock."""

SILENT_SECONDS = 120.0
"""Time without a sign of life after which the lock of another machine, or container, is stale."""

_LONG_AGO = 3600.0
"""Age at which a lock is stale by its date alone; clocks of machines that share a disk differ by less."""

_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Holder:
    """Process that holds a lock."""

    process: ProcessIdentity
    """The process."""
    since: str
    """UTC, as ISO 8601."""
    beat: int
    """The time of the last sign of life, in nanoseconds."""

    @property
    def in_words(self) -> str:
        """The process, its machine, and since when, for messages."""
        return f"process {self.process.pid} on {self.process.host}, since {self.since}"


def holder_of(folder: Path) -> Holder | None:
    """Read who holds the lock of a folder.

    Args:
        folder: The folder.

    Returns:
        The holder; None where nobody has the lock. A lock that can not be read is of an unknown process.
    """
    path = folder / LOCK
    try:
        beat = path.stat().st_mtime_ns
        with path.open("rb") as file:
            content = file.read(4096)
    except OSError:
        return None
    try:
        document = parse_json(content)
        process = ProcessIdentity(
            str(document["host"]), str(document["space"]), int(document["pid"]), str(document["begun"])
        )
        return Holder(process, str(document["since"]), beat)
    except (ValueError, KeyError, TypeError):  # torn, or being written this very moment
        return Holder(ProcessIdentity("a machine that is not known", "unknown", 0, "0"), "a moment that is not", beat)


class _Watch:
    """Tells whether a lock is stale, of which the holder is another process: by what the system says of it, else by
    signs of life, as this process sees them come."""

    def __init__(self) -> None:
        self._beat, self._seen = 0, 0.0

    def is_stale(self, holder: Holder) -> bool:
        fate = holder.process.fate()
        if fate != "elsewhere":
            return fate == "ended"
        now = time.monotonic()
        if holder.beat != self._beat:
            self._beat, self._seen = holder.beat, now
        return now - self._seen > SILENT_SECONDS or time.time() - holder.beat / 1e9 > _LONG_AGO


class _Held:
    """A lock of this process: its sign of life, and how often it was taken."""

    def __init__(self, path: Path, new: bool) -> None:
        self.path, self.count = path, 1
        self.new = new
        """Whether the folder was made for the lock."""
        self._over = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name=f"heartbeat of {path.parent.name}").start()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path)

    def end(self) -> None:
        self._over.set()


_held: dict[Path, _Held] = {}
_guard = threading.RLock()


def is_free(folder: Path) -> bool:
    """Check whether nobody else works in a folder at this moment.

    Args:
        folder: The folder.

    Returns:
        True where it has no lock, a stale one, or one of this process.
    """
    holder = holder_of(folder)
    return holder is None or _path(folder) in _held or _Watch().is_stale(holder)


@contextmanager
def locked(folder: Path, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Work in a folder while nobody else does, and wait until then.

    The lock is a file that is made only where none is, so that it serves on network file systems too. The process that
    holds it gives a sign of life every ``HEARTBEAT_SECONDS``. A lock is stale, and taken over, at once where its
    process has ended on this machine, and after ``SILENT_SECONDS`` without a sign where it was another machine's. A
    process may take a lock that it holds again. Where the folder can not be written in, there is nothing to lock.

    Args:
        folder: What is locked; it is made where it is missing, and then removed again where it stays empty.
        say: Called with one line when there is somebody to wait for; None writes it to stderr.

    Yields:
        Nothing; inside the block the folder is this process's.
    """
    path = _path(folder)
    with _guard:
        mine = _held.get(path)
        if mine is not None:
            mine.count += 1
    if mine is None:
        mine = _acquired(path, say or _to_stderr)
    try:
        yield
    finally:
        if mine is not None:
            _release(path, mine)


def _path(folder: Path) -> Path:
    return Path(os.path.abspath(folder)) / LOCK


def _acquired(path: Path, say: Callable[[str], None]) -> _Held | None:
    watch, waiting, new = _Watch(), False, False
    while True:
        try:
            new |= not path.parent.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            if _created(path):
                break
        except FileNotFoundError:  # whoever was here before removed the folder, in which nothing had been made
            continue
        except OSError:  # no room, no permission: whoever can not write here harms nobody
            return None
        holder = holder_of(path.parent)
        if holder is None:
            continue
        if watch.is_stale(holder):
            _break(path, holder)
            continue
        if not waiting:
            say(f"ddbench: waiting for {path.parent}: at work there is {holder.in_words}")
            waiting = True
        time.sleep(_LOOK_SECONDS)
    with _guard:
        made = _held[path] = _Held(path, new)
    sweep(path.parent)
    return made


def _created(path: Path) -> bool:
    """Whether the lock was made now, with its content at once.

    Raises:
        OSError: It can not be.
    """
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    content = json.dumps({**asdict(this_process()), "since": since}).encode()
    whole = path.with_name(temporary_name(LOCK))
    try:
        whole.write_bytes(content)
        os.link(whole, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        return _created_in_two_steps(path, content)
    finally:
        whole.unlink(missing_ok=True)
    return True


def _created_in_two_steps(path: Path, content: bytes) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return True


def _break(path: Path, stale: Holder) -> None:
    """Remove a stale lock, unless somebody else did: only who holds the second lock may remove the first."""
    second = path.with_name(f"{LOCK}.breaking")
    try:
        os.close(os.open(second, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        with suppress(OSError):
            if abs(time.time() - second.stat().st_mtime) > SILENT_SECONDS:  # whoever made it was killed
                second.unlink()
        time.sleep(_LOOK_SECONDS / 10)
        return
    try:
        if holder_of(path.parent) == stale:
            path.unlink(missing_ok=True)
    finally:
        second.unlink(missing_ok=True)


def _release(path: Path, mine: _Held) -> None:
    with _guard:
        mine.count -= 1
        if mine.count:
            return
        del _held[path]
        mine.end()
        sweep(path.parent)
        holder = holder_of(path.parent)
        with suppress(OSError):
            if holder is not None and holder.process == this_process():
                path.unlink()
            if mine.new:
                path.parent.rmdir()  # which fails, as it should, where anything lies in it


def _to_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201
