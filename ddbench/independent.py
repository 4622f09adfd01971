"""Methods whose set is put together from independent jobs, each with a file of its own."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ddbench.execution import CHECKPOINT_SECONDS, Progress, peak_bytes, reset_peak
from ddbench.learner import identity
from ddbench.method import Method, OuterStep, Task
from ddbench.shelf import Shelf
from ddbench.synthetic import SyntheticSet


class IndependentMethod(Method):
    """A method of jobs that know nothing of each other: done in any order, anywhere, each resumed by itself."""

    @abc.abstractmethod
    def jobs(self, task: Task, ipc: int) -> Sequence[str]:
        """The names of the jobs, which files can have. Errors: UserError where the task does not suit the method."""

    @abc.abstractmethod
    def carry_out(self, name: str, task: Task, ipc: int, at: OuterStep, shelf: Shelf) -> dict[str, Tensor]:
        """What one job makes. Drawn from ``at``'s streams, in each of which the job's name is a part; interrupted, it
        goes on from what ``shelf`` resumes."""

    @abc.abstractmethod
    def assemble(self, task: Task, ipc: int, at: OuterStep, made: Mapping[str, Mapping[str, Tensor]]) -> SyntheticSet:
        """The set, from what the jobs made, by name."""


def carry_out_jobs(
    method: IndependentMethod,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
) -> SyntheticSet:
    """Do the jobs that are not done yet, their files in ``folder``, and put the set together, its cost noted.

    Errors: UserError for files of another distillation, and what the method itself finds wrong.
    """
    asked, at = identity(method, task, ipc, seed), OuterStep(0, seed)
    names, made, seconds, peak = method.jobs(task, ipc), {}, 0.0, 0
    for number, name in enumerate(names, 1):
        shelf = Shelf(
            folder / f"{name}.safetensors",
            {**asked, "job": name},
            pause=checkpoint_seconds,
            progress=progress,
            title=f"{task.method} ipc {ipc}, job {number} of {len(names)}",
        )
        done = shelf.finished()
        if done is None:
            reset_peak(task.device)
            try:
                tensors = method.carry_out(name, task, ipc, at, shelf)
                shelf.finish(tensors, {"peak_bytes": peak_bytes(task.device)})
            finally:
                shelf.close()
            done = shelf.finished()
        assert done is not None
        made[name], facts = done
        seconds, peak = seconds + facts["seconds"], max(peak, facts["peak_bytes"])
    syn = method.assemble(task, ipc, at, made)
    return replace(syn, provenance={**syn.provenance, "seconds": seconds, "peak_bytes": peak})
