"""Methods whose set is put together from independent jobs, each with a file of its own."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.method import Method
from ddbench.distillation.outer_state import identity
from ddbench.distillation.task import OuterStep, Task
from ddbench.runtime.device import CHECKPOINT_SECONDS, peak_bytes, reset_peak
from ddbench.runtime.executors.executor import Executor, ReportProgress, Serial
from ddbench.runtime.executors.job_progress import JobProgress, SharedProgress
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.runtime.progress import Progress, Silent
from ddbench.runtime.threads import one_thread
from ddbench.synthetic.synthetic_set import SyntheticSet


class JobMethod(Method):
    """A method of jobs that know nothing of each other: done in any order, anywhere, each resumed by itself."""

    KIND: ClassVar[str] = "jobs"

    @abc.abstractmethod
    def jobs(self, task: Task, ipc: int) -> Sequence[str]:
        """The names of the jobs, which files can have.

        Raises:
            UserError: The task does not suit the method.
        """

    @abc.abstractmethod
    def run(self, name: str, task: Task, ipc: int, at: OuterStep, checkpoint: JobCheckpoint) -> dict[str, Tensor]:
        """What one job makes. Drawn from ``at``'s streams, in each of which the job's name is a part; interrupted, it
        goes on from what ``checkpoint`` resumes."""

    def seconds(self, task: Task, ipc: int) -> float:
        """About how long all jobs take, one after the other; 0 where that is too little to share them out."""
        del task, ipc
        return 0.0

    @abc.abstractmethod
    def assemble(self, task: Task, ipc: int, at: OuterStep, made: Mapping[str, Mapping[str, Tensor]]) -> SyntheticSet:
        """The set, from what the jobs made, by name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class IndependentJob(WorkerJob):
    """Called with a job's name, it leaves the job's file in ``folder``."""

    moved = ("task",)
    method: JobMethod
    task: Task
    ipc: int
    seed: int
    folder: Path
    identity: Mapping[str, Any]
    """What the files follow from."""
    pause: float
    """Seconds between writings of its state. On a CPU one thread computes, so that the bits do not depend on how many
    the machine has."""

    def __call__(self, name: str, report: ReportProgress) -> None:
        """Errors: UserError for a file of another distillation, what the method finds wrong, and where this machine has
        no such folder."""
        require_seen(self.folder)
        checkpoint = self.checkpoint(name, JobProgress(report))
        if checkpoint.finished() is not None:
            return
        reset_peak(self.device)
        with one_thread(self.device):
            tensors = self.method.run(name, self.here.task, self.ipc, OuterStep(0, self.seed), checkpoint)
        checkpoint.finish(tensors, {"peak_bytes": peak_bytes(self.device)})

    def checkpoint(self, name: str, progress: Progress | None = None) -> JobCheckpoint:
        """Where a job keeps what it has done."""
        path = self.folder / f"{name}.safetensors"
        return JobCheckpoint(path, {**self.identity, "job": name}, pause=self.pause, progress=progress)


def run_jobs(
    method: JobMethod,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> SyntheticSet:
    """Do the jobs that are not done yet, their files in ``folder``, and put the set together, its cost noted.

    Args:
        executor: Who does them; None is this process, one after the other.

    Raises:
        UserError: Files of another distillation, what the method itself finds wrong, and as ``executor`` says.
    """
    by, names = executor or Serial(), list(method.jobs(task, ipc))
    folder.mkdir(parents=True, exist_ok=True)
    job = IndependentJob(
        method=method,
        task=task,
        ipc=ipc,
        seed=seed,
        folder=folder.absolute(),
        identity=identity(method, task, ipc, seed),
        device=by.device(task.device),
        pause=checkpoint_seconds,
    )
    missing = [name for name in names if job.checkpoint(name).finished() is None]
    meter = SharedProgress(progress or Silent(), len(missing), f"{task.method} ipc {ipc}, {len(missing)} jobs")
    try:
        for position, _ in by.map(job, missing, meter.on_progress):
            meter.finished(position)
    finally:
        meter.close()
    made, seconds, peak = {}, 0.0, 0
    for name in names:
        done = job.checkpoint(name).finished()
        assert done is not None
        made[name], facts = done
        seconds, peak = seconds + facts["seconds"], max(peak, facts["peak_bytes"])
    syn = method.assemble(task, ipc, OuterStep(0, seed), made)
    return replace(syn, provenance={**syn.provenance, "seconds": seconds, "peak_bytes": peak})
