"""Where a command works and how it reports."""

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
    """home: everything that runs produce. data_root: data sets that are there already; None: HOME/downloads.

    checkpoint_seconds: how much work a killed process may lose. compile: whether long computations are compiled first.
    together: whether the processes that torchrun started do this together; the first of them reports.
    memory: what becomes of a computation that, by estimate, does not fit. executors: who does independent jobs.
    """

    home: Path
    data_root: Path | None = None
    device: str = "auto"
    quiet: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    compile: Choice = "auto"
    together: bool = False
    memory: Policy = "refuse"
    executors: ExecutorFactory = field(default_factory=ExecutorFactory)

    def progress(self) -> Progress:
        return Silent() if self.quiet or (self.together and launched()[0] > 0) else Bar()
