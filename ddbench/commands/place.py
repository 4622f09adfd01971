"""Where a command works and how it reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.compiling import Choice
from ddbench.execution import CHECKPOINT_SECONDS, Bar, Progress, Silent


@dataclass(frozen=True)
class Place:
    """home: everything that runs produce. data_root: data sets that are there already; None: HOME/downloads.

    checkpoint_seconds: how much work a killed process may lose. compile: whether long computations are compiled first.
    """

    home: Path
    data_root: Path | None = None
    device: str = "auto"
    quiet: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    compile: Choice = "auto"

    def progress(self) -> Progress:
        return Silent() if self.quiet else Bar()
