"""One value for how a computation is carried out: where, in what precision, by whom, and shown to whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ddbench.runtime.compile import Choice
from ddbench.runtime.device import CHECKPOINT_SECONDS, choose_device
from ddbench.runtime.distributed import ALONE, Ranks
from ddbench.runtime.executors.executor import Executor, Serial
from ddbench.runtime.precision import Precision, choose_precision
from ddbench.runtime.progress import Progress, Silent, choose_progress


@dataclass(frozen=True, eq=False, kw_only=True)
class Compute:
    """How a computation is carried out. What is computed does not depend on it, but for rounding.

    Entry points take one, and pass it on whole. A routine inside that needs a device alone takes the device.
    """

    device: torch.device = torch.device("cpu")
    """Device that computes, in this process."""
    precision: Precision = "float32"
    """Precision of products and convolutions, as the process was set to by what made this."""
    compile: Choice = "off"
    """Whether training steps are compiled first, which changes rounding alone."""
    together: int | None = None
    """Networks that one process trains at once; None is one on a CPU, and as many as fit on a GPU."""
    executor: Executor = Serial()
    """Carries out independent jobs; by default this process, one after the other."""
    progress: Progress = Silent()
    """Shows the progress; by default nothing."""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    """Seconds between two checkpoints at least: what a killed process may lose."""
    ranks: Ranks = ALONE
    """Processes of torchrun that compute together; by default this one alone."""

    def on(self, device: torch.device) -> Compute:
        """Make the computation of one process by itself, which can travel to another.

        Args:
            device: Device that computes there.

        Returns:
            The same, without executor, progress and ranks.
        """
        return replace(self, device=device, executor=Serial(), progress=Silent(), ranks=ALONE)

    def in_job(self) -> Compute:
        """Make the computation of one of the executor's jobs.

        Returns:
            The same in one process, on the device of the job.
        """
        return self.on(self.executor.device(self.device))

    def silent(self) -> Compute:
        """Make the computation of a part of what is shown already.

        Returns:
            The same without progress.
        """
        return replace(self, progress=Silent())


def choose_compute(
    device: str = "auto",
    *,
    compile: Choice = "auto",
    precision: Precision = "auto",
    executor: Executor | None = None,
    progress: bool | Progress | None = None,
) -> Compute:
    """Resolve what a caller of the Python API asks for.

    Args:
        device: As in :func:`ddbench.runtime.device.choose_device`.
        compile: Whether training steps are compiled; ``auto`` compiles where the run is long enough to gain.
        precision: Precision of products and convolutions, of which a CPU has float32 alone.
        executor: Carries out independent jobs; None is this process, one after the other.
        progress: As in :func:`ddbench.runtime.progress.choose_progress`.

    Returns:
        The computation.

    Raises:
        UserError: The device is unknown, or not there, or the precision is unknown.
    """
    on = choose_device(device)
    return Compute(
        device=on,
        precision=choose_precision(precision, on),
        compile=compile,
        executor=executor or Serial(),
        progress=choose_progress(progress),
    )
