"""Devices: choice by name, waiting for them, and the most memory they used."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import UserError

if TYPE_CHECKING:
    import torch


CHECKPOINT_SECONDS = 20.0
"""How much work a killed process may lose, unless something else is asked for."""


def choose_device(wanted: str = "auto") -> torch.device:
    """Find a device by name. On CUDA float32 is set to full precision.

    Args:
        wanted: "cpu", "cuda", "cuda:1", or "auto", which takes CUDA where it is present.

    Returns:
        The device.

    Raises:
        UserError: An unknown name, CUDA where there is none, or a CUDA index that does not exist.
    """
    import torch

    from ddbench.runtime.device import full_float32

    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UserError(
            f"there is no device {wanted!r}", "known auto, cpu, cuda, cuda:0, ...", fix="--device auto"
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"ddbench does not run on device {wanted!r}", "known auto, cpu, cuda", fix="--device auto")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UserError(
                f"device {wanted!r} was asked for, but this machine has {count} CUDA devices that torch can use",
                f"torch {torch.__version__}, built for CUDA {torch.version.cuda}",
                fix="--device cpu, or install a driver and a torch build that fit each other",
            )
        full_float32()
    return device


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
        Bytes of the device's allocator on CUDA, of the process on the CPU; 0 on a CPU where the system does not say.
    """
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
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


def full_float32() -> None:
    """Have every product and convolution of this process use all bits of float32, on every device.

    torch by itself lets convolutions on recent GPUs round their inputs to TF32, ten bits, unasked. Gradients through
    many student steps are ill-conditioned, and nobody has shown that final rows do not suffer, so ddbench does not.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
