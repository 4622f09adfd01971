"""Where a run happens and what it says meanwhile: the device, its memory, the progress bar."""

from __future__ import annotations

import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddbench.errors import UserError
from ddbench.version import __version__

if TYPE_CHECKING:
    import torch


CHECKPOINT_SECONDS = 20.0
"""How much work a killed process may lose, unless something else is asked for."""


def choose_device(wanted: str = "auto") -> torch.device:
    """The device of this name; "auto" takes CUDA where it is present, with float32 at full precision.

    Errors: UserError for an unknown name, for CUDA where there is none, for a CUDA index that does not exist.
    """
    import torch

    from ddbench.precision import full_float32

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


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all it was given, so that a clock read next is true."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """Most memory in use since :func:`reset_peak`: of the device's allocator on CUDA, of the process on the CPU."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    for line in _read_or_empty(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows has none
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak(device: torch.device) -> None:
    """Let :func:`peak_bytes` count from now; where the system can not, it counts from the start of the process."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def _read_or_empty(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


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


class Progress(Protocol):
    """What a long computation tells while it runs."""

    def start(self, total: int, what: str, done: int = 0) -> None: ...
    def update(self, done: int, **facts: Any) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Says nothing: the default in Python, and ``--quiet``."""

    def start(self, total: int, what: str, done: int = 0) -> None: ...
    def update(self, done: int, **facts: Any) -> None: ...
    def close(self) -> None: ...


class Bar:
    """A tqdm bar on stderr with time left and the facts given; few plain lines where stderr is no terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int, what: str, done: int = 0) -> None:
        from tqdm import tqdm

        self.close()
        often = 0.1 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(total=total, initial=done, desc=what, file=sys.stderr, mininterval=often, dynamic_ncols=True)

    def update(self, done: int, **facts: Any) -> None:
        if self._bar is not None:
            if facts:
                self._bar.set_postfix(facts, refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
