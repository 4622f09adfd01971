"""A method of either kind, carried out in a folder, where it leaves the candidates among which selection chooses."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ddbench.artefact import describe
from ddbench.errors import UserError
from ddbench.execution import CHECKPOINT_SECONDS, Progress, peak_bytes, reset_peak
from ddbench.learner import identity, require_same
from ddbench.method import DirectMethod, Method, OptimisedMethod, OuterStep, Task
from ddbench.outer_loop import optimise
from ddbench.run_folder import Run


def last_candidate(method: Method, folder: Path) -> Path:
    """The candidate that a finished run of ``method`` in ``folder`` has."""
    return Run(folder).candidate(method.iterations if isinstance(method, OptimisedMethod) else 0)


def carry_out(
    method: Method,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
) -> list[Path]:
    """Run, or go on with, a method in ``folder``. Returns the candidates, by outer step; a direct method has one.

    Errors: UserError for a class that is neither kind of method, and what the method itself finds wrong.
    """
    if isinstance(method, OptimisedMethod):
        return optimise(method, task, ipc, folder, seed=seed, checkpoint_seconds=checkpoint_seconds, progress=progress)
    if not isinstance(method, DirectMethod):
        raise UserError(
            f"{type(method).__name__} is neither an OptimisedMethod nor a DirectMethod",
            fix="derive it from one of them (ddbench.method)",
        )
    path, asked = last_candidate(method, folder), identity(method, task, ipc, seed)
    if path.exists():
        require_same(describe(path)["provenance"]["identity"], asked, folder)
        return [path]
    reset_peak(task.device)
    began = time.monotonic()
    made = method.distill(task, ipc, OuterStep(0, seed))
    cost = {"seconds": time.monotonic() - began, "peak_bytes": peak_bytes(task.device)}
    replace(made, provenance={**made.provenance, "step": 0, **cost, "guard": {}, "identity": asked}).save(path)
    return [path]
