"""Settings of one run that every stage of a recipe shares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from ddbench.estimates.memory_check import Policy
from ddbench.pipeline.executor_choice import ExecutorFactory
from ddbench.runtime.compile import Choice
from ddbench.runtime.compute import Compute
from ddbench.runtime.device import CHECKPOINT_SECONDS, choose_device
from ddbench.runtime.precision import Precision, choose_precision
from ddbench.runtime.progress import Bar, Progress, Silent
from ddbench.runtime.rank_store import launched


@dataclass(frozen=True)
class RunContext:
    """Folders, device and policies of a run."""

    home: Path
    """Folder of buffers, runs, results and downloads."""
    data_root: Path | None = None
    """Folder that holds data sets already; None means ``home/downloads``."""
    device: str = "auto"
    """``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ..."""
    quiet: bool = False
    """Whether no progress is shown."""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    """Seconds of work that a killed process may lose."""
    compile: Choice = "auto"
    """Whether training steps are compiled."""
    together: bool = False
    """Whether the processes that torchrun started share this run; the first of them reports."""
    memory: Policy = "refuse"
    """What to do where the estimated peak memory exceeds what is free."""
    executors: ExecutorFactory = field(default_factory=ExecutorFactory)
    """Makes the executors of independent jobs."""
    reporter: Progress | None = None
    """Shows the progress of every stage; None is a bar."""
    precision: Precision = "auto"
    """Precision of products and convolutions that is asked for."""

    @property
    def results(self) -> Path:
        """Folder of rows."""
        return self.home / "results"

    @cached_property
    def compute(self) -> Compute:
        """How this process computes by itself: on the device that is asked for, one job after the other.

        Raises:
            UserError: The device is unknown, or not there.
        """
        return self.compute_on(choose_device(self.device))

    def compute_on(self, device: torch.device) -> Compute:
        """Make the computation of this process by itself on a device.

        Args:
            device: The device.

        Returns:
            The computation, silent where the run is quiet or another rank reports.
        """
        silent = self.quiet or (self.together and launched()[0] > 0)
        return Compute(
            device=device,
            precision=choose_precision(self.precision, device),
            compile=self.compile,
            progress=Silent() if silent else self.reporter or Bar(),
            checkpoint_seconds=self.checkpoint_seconds,
        )

    def shared_out(self, compute: Compute, *, worth: bool, each: int = 0) -> Compute:
        """Have independent jobs carried out by the executors.

        Args:
            compute: How they are computed.
            worth: Whether they are work enough for several processes.
            each: Bytes of memory that a process takes for them; 0 is unknown.

        Returns:
            The same with the executor of the jobs, which this context owns.
        """
        return replace(compute, executor=self.executors.on(compute.device, worth=worth, each=each))
