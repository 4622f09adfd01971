"""Settings of one run that every stage of a recipe shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ddbench.estimates.memory_check import Policy
from ddbench.pipeline.executor_choice import ExecutorFactory
from ddbench.runtime.compile import Choice
from ddbench.runtime.device import CHECKPOINT_SECONDS
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
    """Shows the progress of every stage; None makes a bar for each."""

    def progress(self) -> Progress:
        """Make the reporter of one stage.

        Returns:
            Silence where the run is quiet or another rank reports; else ``reporter``, or a new bar.
        """
        if self.quiet or (self.together and launched()[0] > 0):
            return Silent()
        return self.reporter or Bar()
