"""Memory that a computation may still take: of the device, the machine, and the limits set on this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.runtime.device import text_or_empty

if TYPE_CHECKING:
    import torch

_UNLIMITED = 1 << 60
"""Bytes from which a limit is none: cgroups of version 1 say nearly 2^63 where nothing was set."""


def free_bytes(device: torch.device) -> int | None:
    """Measure the memory that this process can still get on a device.

    On CUDA it is what the driver has free, and what torch's allocator keeps and does not use, but for what it keeps for
    CUDA graphs, which nothing else gets. On the CPU it is the
    least of what the machine has available, of what the control groups of this process leave it (version 1 and 2), and
    of its own limit of address space. macOS tells no more than the memory of the machine, which is then taken for free.

    Args:
        device: The device.

    Returns:
        Bytes; None where the system does not say.
    """
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0] + _unused_by_allocator(device)
    limits = [available for available in (_machine(), cgroup_available(), _address_space()) if available is not None]
    return max(min(limits), 0) if limits else None


def _unused_by_allocator(device: torch.device) -> int:
    """Bytes that torch's allocator keeps for tensors to come, without the pools of CUDA graphs."""
    import torch

    index = torch.cuda.current_device() if device.index is None else device.index
    segments = (segment for segment in torch.cuda.memory_snapshot() if segment["device"] == index)
    common = (segment for segment in segments if tuple(segment["segment_pool_id"]) == (0, 0))
    return sum(segment["total_size"] - segment["active_size"] for segment in common)


def _machine() -> int | None:
    """What the kernel takes to be available without swapping; else all memory there is."""
    available = _listed(Path("/proc/meminfo")).get("MemAvailable:")
    if available is not None:
        return 1024 * available
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # AttributeError: Windows has no sysconf
        return None


def cgroup_available(root: Path = Path("/")) -> int | None:
    """Measure the memory that the control groups of this process leave it; the tightest counts.

    A group's use counts without files that it has cached and not used lately, which the kernel gives up for it.

    Args:
        root: Folder under which ``proc`` and ``sys`` are looked for.

    Returns:
        Bytes; None where no group sets a limit.
    """
    limits = []
    for line in text_or_empty(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        names = _V1 if controllers else _V2
        for folder in _upwards(root / "sys/fs/cgroup" / ("memory" if controllers else ""), path):
            available = _available_of(folder, *names)
            limits += [] if available is None else [available]
    return min(limits) if limits else None


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def _upwards(mount: Path, path: str) -> list[Path]:
    """The group's folder and those above it. In a container its path may not be visible: then the mount alone is."""
    parts = Path(path.lstrip("/")).parts
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _available_of(folder: Path, limit_file: str, usage_file: str, cached: str) -> int | None:
    limit, usage = (text_or_empty(folder / name).strip() for name in (limit_file, usage_file))
    if not (limit.isdecimal() and usage.isdecimal()) or int(limit) >= _UNLIMITED:
        return None
    return int(limit) - int(usage) + _listed(folder / "memory.stat").get(cached, 0)


def _address_space() -> int | None:
    """What ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _listed(Path("/proc/self/status")).get("VmSize:")
    if limit == resource.RLIM_INFINITY or used is None:
        return None
    return limit - 1024 * used


def _listed(path: Path) -> dict[str, int]:
    """Lines of a name and a number, as the kernel writes them; a unit after the number is left out."""
    words = [line.split() for line in text_or_empty(path).splitlines()]
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdecimal()}
