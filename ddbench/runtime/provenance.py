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
    """The hardware as rows name it: the GPU's model, or the processor's. Never the machine's own name."""
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
    """The versions that a result depends on."""
    import torch

    found = {"ddbench": __version__, "python": platform.python_version(), "torch": torch.__version__}
    found |= {name: version(name) for name in ("torchvision", "timm", "numpy")}
    if torch.version.cuda and torch.cuda.is_available():
        found["cuda"] = torch.version.cuda
    return found


def code_identity() -> str:
    """The commit of ddbench's own checkout, "+dirty" if changed, else its version; never another repository's."""
    root = Path(__file__).resolve().parent.parent
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
