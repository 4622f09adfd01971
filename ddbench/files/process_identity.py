"""Processes told apart: the machine and container they run in, their number, and when they began."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

Fate = Literal["running", "ended", "elsewhere"]
"""Of a process: it runs; it ended; it belongs to another machine or container, so that nothing is known of it."""


@dataclass(frozen=True)
class ProcessIdentity:
    """Identity that no two processes share, also where containers count their processes from 1 and share a name."""

    host: str
    """The machine's name, for people."""
    space: str
    """Eight digits for the boot of the machine and the space of process numbers."""
    pid: int
    """Number of the process."""
    begun: str
    """When the process began, as the kernel counts it; "0" where the system does not say."""

    @property
    def token(self) -> str:
        """The identity as part of a file name; :func:`identity_in` reads it back."""
        host = re.sub(r"[^A-Za-z0-9_]+", "_", self.host)[:20] or "host"
        return f"{host}-{self.space}-{self.pid}-{self.begun}"

    def fate(self) -> Fate:
        """Look whether the process still runs, as far as this one can see.

        Returns:
            "running", "ended", or "elsewhere" for a process of another machine or container.
        """
        if self.space != number_space() or os.name != "posix":
            return "elsewhere"
        if not _exists(self.pid):
            return "ended"
        begun = begun_at(self.pid)
        return "ended" if "0" not in (begun, self.begun) and begun != self.begun else "running"


def this_process() -> ProcessIdentity:
    """Identify the present process.

    Returns:
        Its identity, the same at every call.
    """
    return _identity_of(os.getpid())


@lru_cache(maxsize=4)
def _identity_of(pid: int) -> ProcessIdentity:
    return ProcessIdentity(platform.node() or "localhost", number_space(), pid, begun_at(pid))


_TOKEN = re.compile(r"([A-Za-z0-9_]{1,20})-([0-9a-f]{8})-(\d{1,10})-(\d{1,20})")


def identity_in(name: str) -> ProcessIdentity | None:
    """Read the identity whose token a file's name holds.

    Args:
        name: Name of a file.

    Returns:
        The identity; None where the name holds none.
    """
    token = _TOKEN.search(name)
    return ProcessIdentity(token[1], token[2], int(token[3]), token[4]) if token else None


@lru_cache(maxsize=1)
def number_space() -> str:
    """Identify where a process number means one process: the boot of a machine, and the container in it.

    Returns:
        Eight hexadecimal digits.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        context = [boot, str(os.stat("/proc/self/ns/pid").st_ino)]
    except OSError:  # no Linux: the machine's name and network address stand for it
        context = [platform.node(), str(uuid.getnode())]
    return hashlib.sha256("\n".join(context).encode()).hexdigest()[:8]


def begun_at(pid: int) -> str:
    """Read when a process began.

    Args:
        pid: Number of the process.

    Returns:
        The kernel's ticks since boot; "0" where the system does not say.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "0"
    fields = line.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[19].isdecimal() else "0"


def _exists(pid: int) -> bool:
    """Whether a process of this number is there and not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return True
    return line.rpartition(")")[2].split()[:1] != ["Z"]
