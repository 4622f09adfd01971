"""A method of either kind, carried out in a folder, where it leaves the candidates among which selection chooses."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import Any

import torch

from ddbench.artifact import describe
from ddbench.distillation.base_method import Method
from ddbench.distillation.job_method import JobMethod, run_jobs
from ddbench.distillation.method import DirectMethod, OptimizedMethod
from ddbench.distillation.outer_loop import less_memory, optimize
from ddbench.distillation.outer_state import identity, require_same
from ddbench.distillation.run_dir import Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.files.folder_lock import locked
from ddbench.runtime.device import peak_bytes, reset_peak
from ddbench.runtime.distributed import ALONE
from ddbench.runtime.oom import memory_errors
from ddbench.synthetic.synthetic_set import SyntheticSet


def last_candidate(method: Method, folder: Path) -> Path:
    """Name the file of the candidate that a finished run has.

    Args:
        method: The method, with its settings.
        folder: Folder of the run.

    Returns:
        The path, whether it exists or not.
    """
    return Run(folder).candidate(method.outer_steps)


def run(method: Method, task: Task, ipc: int, folder: Path, *, seed: int) -> list[Path]:
    """Run, or go on with, a method in a folder.

    Args:
        method: The method, with its settings.
        task: What it distills from, and how.
        ipc: Images per class.
        folder: Folder of the run. Nobody else works in it meanwhile: where another process does, this one waits until
            it has ended.
        seed: Seed of every draw.

    Returns:
        The candidates, by outer step; but for an optimized method there is one.

    Raises:
        UserError: The class is no kind of method, or the method itself finds something wrong.
    """
    with locked(folder) if task.ranks.writes else nullcontext():
        task.ranks.wait()
        return _make_candidates(method, task, ipc, folder, seed)


@singledispatch
def _make_candidates(method: Method, task: Task, ipc: int, folder: Path, seed: int) -> list[Path]:
    """Make the candidates of a method in the way of its kind; what is there is not made again."""
    raise UserError(
        f"{type(method).__name__} is neither an OptimizedMethod nor a DirectMethod nor a JobMethod",
        fix="derive it from one of them (ddbench.distillation.method, ddbench.distillation.job_method)",
    )


@_make_candidates.register
def _(method: OptimizedMethod, task: Task, ipc: int, folder: Path, seed: int) -> list[Path]:
    return optimize(method, task, ipc, folder, seed=seed)


@_make_candidates.register
def _(method: JobMethod, task: Task, ipc: int, folder: Path, seed: int) -> list[Path]:
    jobs = folder / "jobs"
    return _make_once(method, task, ipc, folder, seed, lambda alone: run_jobs(method, alone, ipc, jobs, seed=seed))


@_make_candidates.register
def _(method: DirectMethod, task: Task, ipc: int, folder: Path, seed: int) -> list[Path]:
    return _make_once(method, task, ipc, folder, seed, lambda alone: at_once(method, alone, ipc, seed, task.device))


def _make_once(
    method: Method, task: Task, ipc: int, folder: Path, seed: int, make: Callable[[Task], SyntheticSet]
) -> list[Path]:
    """The one candidate of a method without an outer loop, made by rank 0 where it is missing."""
    with task.ranks.rank_0_first():
        alone = replace(task, compute=replace(task.compute, ranks=ALONE))
        path, wanted = last_candidate(method, folder), identity(method, alone, ipc, seed)
        remains = "what was finished, and the last checkpoint; a run of the same settings goes on"
        with memory_errors("distilling", lambda: remains, lambda: less_memory(method, task, ipc)):
            if path.exists():
                require_same(describe(path).get("provenance", {}).get("identity") or {}, wanted, folder)
            else:
                made = make(alone)
                facts = {**made.provenance, "step": 0, "guard": {}, "identity": wanted}
                replace(made, provenance=facts).save(path)
        return [path]


def at_once(method: Any, task: Any, ipc: int, seed: int, device: torch.device) -> Any:
    """Make the set of a method without an outer loop, and note what that costs.

    Args:
        method: Of any domain, with ``distill(task, ipc, step)``.
        task: What it distills.
        ipc: Items per class.
        seed: Seed of every draw.
        device: Device whose memory is counted.

    Returns:
        The set; its provenance has ``seconds`` and ``peak_bytes``.
    """
    reset_peak(device)
    began = time.monotonic()
    made = method.distill(task, ipc, OuterStep(0, seed))
    cost = {"seconds": time.monotonic() - began, "peak_bytes": peak_bytes(device)}
    return replace(made, provenance={**made.provenance, **cost})
