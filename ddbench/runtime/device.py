"""Devices: choice by name, waiting for them, and the most memory they used."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import UserError

if TYPE_CHECKING:
    import torch


CHECKPOINT_SECONDS = 20.0
"""How much work a killed process may lose, unless something else is asked for."""

AUTO_VARIABLE = "DDBENCH_DEVICE"
"""Environment variable that names the device which "auto" takes."""


def choose_device(wanted: str = "auto") -> torch.device:
    """Find a device by name.

    Args:
        wanted: "cpu", "cuda", "cuda:1", or "auto": what ``DDBENCH_DEVICE`` names, else CUDA where it is present.

    Returns:
        The device.

    Raises:
        UserError: An unknown name, CUDA where there is none, an index that does not exist, or a GPU for which this
            torch has no code.
    """
    import torch

    source = "--device "
    if wanted == "auto":
        source, wanted = f"{AUTO_VARIABLE}=", auto_device()
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UserError(
            f"there is no device {wanted!r}", "known auto, cpu, cuda, cuda:0, ...", fix=f"{source}auto"
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"ddbench does not run on device {wanted!r}", "known auto, cpu, cuda", fix=f"{source}auto")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UserError(
                f"device {wanted!r} was asked for, but this machine has {count} CUDA devices that torch can use",
                f"torch {torch.__version__}, built for CUDA {torch.version.cuda}",
                fix=f"{source}cpu, or install a driver and a torch build that fit each other",
            )
        _require_kernels(device, source)
        if device.index is not None:
            torch.cuda.set_device(device)  # else pinned memory and new threads open a context on the first GPU as well
    return device


def auto_device() -> str:
    """Name the device that "auto" takes.

    Returns:
        What ``DDBENCH_DEVICE`` names; else "cuda" where torch can use a GPU; else "cpu".
    """
    import torch

    variable = os.environ.get(AUTO_VARIABLE)
    return variable if variable not in (None, "", "auto") else "cuda" if torch.cuda.is_available() else "cpu"


def _require_kernels(device: torch.device, source: str) -> None:
    """Require that this torch was built for a GPU: for its generation, or in a form that its driver translates."""
    import torch

    built, capability = torch.cuda.get_arch_list(), torch.cuda.get_device_capability(device)
    kinds = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", name) for name in built]
    codes = [(kind[1], (int(kind[2]), int(kind[3]))) for kind in kinds if kind]
    fitting = any(
        code <= capability and (kind == "compute" or code[0] == capability[0]) for kind, code in codes
    )  # code of a generation runs on its later models
    if codes and not fitting:
        raise UserError(
            f"this torch has no code for the {torch.cuda.get_device_name(device)}",
            f"GPU   of capability {capability[0]}.{capability[1]}",
            f"torch {torch.__version__}, built for {', '.join(built)}",
            fix=f"install a torch build for this GPU, or give {source}cpu",
        )


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all it was given, so that a clock read next is true.

    Args:
        device: The device.
    """
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """Read the most memory in use since :func:`reset_peak`.

    Args:
        device: The device.

    Returns:
        Bytes that torch's allocator held on CUDA, those of replayed graphs among them; of the process on the CPU; 0 on
        a CPU where the system does not say.
    """
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_reserved(device)
    for line in text_or_empty(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows has none
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak(device: torch.device) -> None:
    """Let :func:`peak_bytes` count from now; where the system can not, it counts from the start of the process.

    Args:
        device: The device.
    """
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def text_or_empty(path: Path) -> str:
    """Read a small file of the system.

    Args:
        path: The file, which another system may lack.

    Returns:
        Its text; empty where it can not be read.
    """
    try:
        return path.read_text()
    except OSError:
        return ""
