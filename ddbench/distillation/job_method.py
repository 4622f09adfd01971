"""Methods whose set is put together from independent jobs, each with a file of its own."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ddbench.distillation.base_method import Method
from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.outer_state import identity
from ddbench.distillation.task import OuterStep, Task
from ddbench.runtime.device import peak_bytes, reset_peak
from ddbench.runtime.executors.executor import ReportProgress
from ddbench.runtime.executors.job_progress import JobProgress, SharedProgress
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.runtime.progress import Progress
from ddbench.runtime.threads import one_thread
from ddbench.synthetic.synthetic_set import SyntheticSet


class JobMethod(Method):
    """A method of jobs that know nothing of each other: done in any order, anywhere, each resumed by itself.

    In call order: ``validate_ipc``, ``validate_data``, ``jobs``; ``run`` for each job, perhaps in another process or on
    another machine; ``assemble`` once, when all are done.
    """

    KIND: ClassVar[str] = "jobs"

    @abc.abstractmethod
    def jobs(self, task: Task, ipc: int) -> Sequence[str]:
        """Divide the distillation into jobs.

        Args:
            task: What is distilled from.
            ipc: Images per class.

        Returns:
            Names of the jobs, each once, in the order in which they are begun; each names a file.

        Raises:
            UserError: The task does not suit the method.
        """

    @abc.abstractmethod
    def run(self, name: str, task: Task, ipc: int, step: OuterStep, checkpoint: JobCheckpoint) -> dict[str, Tensor]:
        """Do one job, and go on from its checkpoint where it was interrupted.

        Args:
            name: Name of the job, which is a part of the name of each of its streams of randomness.
            task: What is distilled from, on the job's device.
            ipc: Images per class.
            step: The step 0, with its streams of randomness; no other randomness may be used.
            checkpoint: State of the job on disk: ``resume`` it first, ``checkpoint`` it after every step.

        Returns:
            Tensors by name, which ``assemble`` gets.

        Raises:
            UserError: The job fails for a reason that the user can mend.
        """

    def seconds(self, task: Task, ipc: int) -> float:
        """Estimate how long all jobs take, one after the other.

        Args:
            task: What is distilled from.
            ipc: Images per class.

        Returns:
            Seconds; 0 where that is too little to share them out.
        """
        del task, ipc
        return 0.0

    @abc.abstractmethod
    def assemble(self, task: Task, ipc: int, step: OuterStep, made: Mapping[str, Mapping[str, Tensor]]) -> SyntheticSet:
        """Put the set together from what the jobs made.

        Args:
            task: What is distilled from.
            ipc: Images per class.
            step: The step 0, with its streams of randomness.
            made: Tensors of each job, by its name.

        Returns:
            The set, made by :meth:`Task.synthetic`.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class IndependentJob(WorkerJob):
    """A job that can travel to another process: called with a job's name, it leaves the job's file in ``folder``."""

    moved = ("task",)
    method: JobMethod
    """The method, with its settings."""
    task: Task
    """Data that is distilled from."""
    ipc: int
    """Images per class."""
    seed: int
    """Seed of every draw."""
    folder: Path
    """Folder of the jobs' files."""
    identity: Mapping[str, Any]
    """Document that the files follow from, JSON."""

    def __call__(self, name: str, report: ReportProgress) -> None:
        """Do a job, unless its file is there.

        Args:
            name: Name of the job.
            report: Called with the progress of the job.

        Raises:
            UserError: A file is of another distillation, the method finds something wrong, or this machine has no such
                folder.
        """
        require_seen(self.folder)
        checkpoint = self.checkpoint(name, JobProgress(report))
        if checkpoint.finished() is not None:
            return
        device = self.compute.device
        reset_peak(device)
        with one_thread(device):  # on a CPU, so that the bits do not depend on how many the machine has
            tensors = self.method.run(name, self.here.task, self.ipc, OuterStep(0, self.seed), checkpoint)
        checkpoint.finish(tensors, {"peak_bytes": peak_bytes(device)})

    def checkpoint(self, name: str, progress: Progress | None = None) -> JobCheckpoint:
        """Open the checkpoint of a job.

        Args:
            name: Name of the job.
            progress: Meter that is shown its steps; None for none.

        Returns:
            Its files, whether they exist or not.
        """
        path = self.folder / f"{name}.safetensors"
        pause = self.compute.checkpoint_seconds
        return JobCheckpoint(path, {**self.identity, "job": name}, pause=pause, progress=progress)


def run_jobs(method: JobMethod, task: Task, ipc: int, folder: Path, *, seed: int) -> SyntheticSet:
    """Do the jobs that are not done yet, their files in a folder, and put the set together, its cost noted.

    Args:
        method: The method, with its settings.
        task: What it distills from, and how.
        ipc: Images per class.
        folder: Folder of the jobs' files; it is made where it is missing.
        seed: Seed of every draw.

    Returns:
        The set.

    Raises:
        UserError: Files are of another distillation, the method itself finds something wrong, or as the executor says.
    """
    compute, names = task.compute, list(method.jobs(task, ipc))
    folder.mkdir(parents=True, exist_ok=True)
    job = IndependentJob(
        method=method,
        task=replace(task, compute=compute.on(compute.device)),
        ipc=ipc,
        seed=seed,
        folder=folder.absolute(),
        identity=identity(method, task, ipc, seed),
        compute=compute.in_job(),
    )
    missing = [name for name in names if job.checkpoint(name).finished() is None]
    meter = SharedProgress(compute.progress, len(missing), f"{task.method} ipc {ipc}, {len(missing)} jobs")
    try:
        for position, _ in compute.executor.map(job, missing, meter.on_progress):
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
