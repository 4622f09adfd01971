"""Provenance of a result: processor, versions of libraries, commit of the code."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.version import __version__

if TYPE_CHECKING:
    import torch


def device_name(device: torch.device) -> str:
    """Name the hardware as rows do. The machine's own name is never used.

    Args:
        device: The device.

    Returns:
        The GPU's model, or the processor's with its number of threads.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()} ({torch.get_num_threads()} threads)"


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """List the versions that a result depends on.

    Returns:
        Versions by name: ddbench, Python, the libraries, and CUDA where it is used.
    """
    import torch

    by_name = {"ddbench": __version__, "python": platform.python_version(), "torch": torch.__version__}
    by_name |= {name: version(name) for name in ("torchvision", "timm", "numpy")}
    if torch.version.cuda and torch.cuda.is_available():
        by_name["cuda"] = torch.version.cuda
    return by_name


def code_identity() -> str:
    """Identify the code that computes, never another repository's.

    Returns:
        The commit of ddbench's own checkout, "+dirty" if changed; without a checkout its version.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or not (root / "setup.cfg").exists():
        return f"ddbench {__version__}"
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return f"ddbench {__version__}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
