"""A method of either kind, carried out in a folder, where it leaves the candidates among which selection chooses."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from ddbench.artifact import describe
from ddbench.distillation.job_method import JobMethod, run_jobs
from ddbench.distillation.method import DirectMethod, Method, OptimizedMethod
from ddbench.distillation.outer_loop import less_memory, optimize
from ddbench.distillation.outer_state import identity, require_same
from ddbench.distillation.run_dir import Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.files.folder_lock import locked
from ddbench.runtime.device import CHECKPOINT_SECONDS, peak_bytes, reset_peak
from ddbench.runtime.distributed import ALONE
from ddbench.runtime.executors import Executor
from ddbench.runtime.oom import memory_errors
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet


def last_candidate(method: Method, folder: Path) -> Path:
    """The candidate that a finished run of ``method`` in ``folder`` has."""
    return Run(folder).candidate(method.iterations if isinstance(method, OptimizedMethod) else 0)


def run(
    method: Method,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> list[Path]:
    """Run, or go on with, a method in a folder.

    Args:
        method: The method, with its settings.
        task: What it distills from.
        ipc: Images per class.
        folder: Folder of the run. Nobody else works in it meanwhile: where another process does, this one waits until
            it has ended.
        seed: Seed of every draw.
        checkpoint_seconds: Seconds between checkpoints.
        progress: Meter that is shown steps or jobs; None for none.
        executor: Who does the jobs of a method that is made of independent ones; None is this process.

    Returns:
        The candidates, by outer step; but for an optimized method there is one.

    Raises:
        UserError: The class is no kind of method, or the method itself finds something wrong.
    """
    with locked(folder) if task.ranks.writes else nullcontext():
        task.ranks.wait()
        return _carried_out(method, task, ipc, folder, seed, checkpoint_seconds, progress, executor)


def _carried_out(
    method: Method,
    task: Task,
    ipc: int,
    folder: Path,
    seed: int,
    checkpoint_seconds: float,
    progress: Progress | None,
    executor: Executor | None,
) -> list[Path]:
    if isinstance(method, OptimizedMethod):
        return optimize(method, task, ipc, folder, seed=seed, checkpoint_seconds=checkpoint_seconds, progress=progress)
    if not isinstance(method, DirectMethod | JobMethod):
        raise UserError(
            f"{type(method).__name__} is neither an OptimizedMethod nor a DirectMethod nor an JobMethod",
            fix="derive it from one of them (ddbench.distillation.method, ddbench.distillation.job_method)",
        )
    with task.ranks.rank_0_first():
        alone = replace(task, ranks=ALONE)
        kept = "what was finished, and the last checkpoint; a run of the same settings goes on"
        with memory_errors("distilling", lambda: kept, lambda: less_memory(method, task, ipc)):
            return [_distill_once(method, alone, ipc, folder, seed, checkpoint_seconds, progress, executor)]


def _distill_once(
    method: DirectMethod | JobMethod,
    task: Task,
    ipc: int,
    folder: Path,
    seed: int,
    checkpoint_seconds: float,
    progress: Progress | None,
    executor: Executor | None,
) -> Path:
    """The one candidate of a method without an outer loop; made, unless it is there."""
    path, asked = last_candidate(method, folder), identity(method, task, ipc, seed)
    if path.exists():
        require_same(describe(path).get("provenance", {}).get("identity") or {}, asked, folder)
        return path
    if isinstance(method, JobMethod):
        made = run_jobs(
            method,
            task,
            ipc,
            folder / "jobs",
            seed=seed,
            checkpoint_seconds=checkpoint_seconds,
            progress=progress,
            executor=executor,
        )
    else:
        made = _run_direct(method, task, ipc, seed)
    replace(made, provenance={**made.provenance, "step": 0, "guard": {}, "identity": asked}).save(path)
    return path


def _run_direct(method: DirectMethod, task: Task, ipc: int, seed: int) -> SyntheticSet:
    reset_peak(task.device)
    began = time.monotonic()
    made = method.distill(task, ipc, OuterStep(0, seed))
    cost = {"seconds": time.monotonic() - began, "peak_bytes": peak_bytes(task.device)}
    return replace(made, provenance={**made.provenance, **cost})
