"""A job as it travels to a worker: its fields on the CPU, moved to the worker's device once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch

from ddbench.runtime.compute import Compute


@dataclass(frozen=True, eq=False, kw_only=True)
class WorkerJob:
    """A base of work that executors pickle: subclasses are called with an item and do one of many jobs.

    Only fields travel; whatever a job has cached is made anew in each worker.
    """

    moved: ClassVar[tuple[str, ...]]
    """Names of the fields that are moved between devices, by their ``to``; None among their values stays None."""
    compute: Compute
    """How one process does the job, and on which device."""

    @cached_property
    def here(self) -> Self:
        """The job with everything on its device, moved there once in a process."""
        return self._on(self.compute.device)

    def trimmed(self) -> Self:
        """Leave out what workers do not read.

        Returns:
            The job as it travels; itself where all of it is read.
        """
        return self

    def __getstate__(self) -> dict[str, Any]:
        travels = self.trimmed()._on(torch.device("cpu"))
        return {field.name: getattr(travels, field.name) for field in fields(travels)}

    def _on(self, device: torch.device) -> Self:
        values = {name: getattr(self, name) for name in self.moved}
        return replace(self, **{name: None if value is None else value.to(device) for name, value in values.items()})
