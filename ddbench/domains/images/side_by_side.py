"""Distillations of one recipe, side by side in the processes of an executor."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ddbench.estimates.model_size import Sizes
from ddbench.files.folder_lock import is_free
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.executor_choice import MIN_PARALLEL_SECONDS, ExecutorFactory
from ddbench.pipeline.jobs import Job
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.executors.executor import ReportProgress
from ddbench.runtime.executors.job_progress import JobProgress, SharedProgress
from ddbench.runtime.executors.shared_filesystem import require_seen

if TYPE_CHECKING:
    from ddbench.domains.images.stages import Distill
    from ddbench.pipeline.pipeline import Pipeline

PROCESS_BYTES = 400_000_000
"""Of a process beyond its data and distillation: the interpreter with torch, which takes about this on a CPU."""


class DistillationWork:
    """Distillation of one of a recipe's jobs, as it travels to another process: the recipe, not its data.

    Args:
        loaded: The recipe.
        context: Folders, device and policies; its executors and its reporter stay behind.
    """

    def __init__(self, loaded: LoadedRecipe, context: RunContext) -> None:
        self.loaded = loaded
        folders = {"home": context.home.absolute(), "data_root": context.data_root and context.data_root.absolute()}
        self.context = replace(context, **folders, executors=ExecutorFactory("serial"), reporter=None)

    def __getstate__(self) -> dict[str, Any]:
        return {"loaded": self.loaded, "context": self.context}

    @cached_property
    def pipeline(self) -> Pipeline:
        """The recipe, opened once in a process, so that its data is read once."""
        from ddbench.pipeline.pipeline import Pipeline

        return Pipeline(self.loaded, self.context)

    def __call__(self, number: int, report: ReportProgress) -> None:
        """Distill, or go on with, one of the jobs.

        Args:
            number: Position of the job in the recipe.
            report: Called with the progress of the job.

        Raises:
            UserError: As the stage does, or this machine does not see the home folder.
        """
        require_seen(self.context.home)
        pipeline = self.pipeline
        pipeline.compute = replace(pipeline.compute, progress=JobProgress(report))
        pipeline.stages.run(pipeline.jobs[number], last="distill")


def distill_side_by_side(pipeline: Pipeline, stage: Distill) -> None:
    """Distill what is missing of a recipe in several processes at once, where that is asked for or worth it.

    Only outer loops are shared out: methods of independent jobs share out these jobs themselves. Who distills follows
    from the whole recipe, not from what is missing of it, so that a recipe that was interrupted ends with the same
    bits.

    Args:
        pipeline: The recipe. Experts and teachers are trained first, as their own stages do.
        stage: Its stage of distillation.

    Raises:
        UserError: As the stages do; what other jobs had reached is kept.
    """
    loops = [job for job in pipeline.jobs if job.method.outer_steps]
    missing = [job for job in loops if not stage.done(job)]
    if not pipeline.compute.ranks.alone or len(loops) < 2 or not missing:
        return
    costs = {job.folder: _cost(pipeline, stage, job) for job in loops}
    compute = pipeline.context.shared_out(
        pipeline.compute,
        worth=sum(seconds for seconds, _ in costs.values()) > MIN_PARALLEL_SECONDS,
        each=max(needed for _, needed in costs.values()),
    )
    if compute.executor.at_once < 2:
        return
    pipeline.context.home.mkdir(parents=True, exist_ok=True)
    for job in missing:
        stage.prepare(job)
    # the longest first, so that none is left over at the end, and last those on which another process is at work
    missing.sort(key=lambda job: (not is_free(job.folder), -costs[job.folder][0]))
    work = DistillationWork(
        pipeline.loaded, replace(pipeline.context, device=str(compute.in_job().device), quiet=False)
    )
    title = f"distill {len(missing)} sets, {min(compute.executor.at_once, len(missing))} at once"
    meter = SharedProgress(compute.progress, len(missing), title, [job.method.outer_steps for job in missing])

    def show(position: int, done: int, of: int, **facts: Any) -> None:
        meter.on_progress(position, done, of, set=missing[position].title, **facts)

    try:
        for position, _ in compute.executor.map(work, [pipeline.jobs.index(job) for job in missing], show):
            meter.finished(position)
    finally:
        meter.close()


def _cost(pipeline: Pipeline, stage: Distill, job: Job) -> tuple[float, int]:
    """Seconds of an outer loop on one thread, uncompiled, and bytes of a process that runs it."""
    real, method = pipeline.real, job.method.for_ipc(job.ipc)
    sizes = Sizes.of(
        stage.student.module, real.shape, device=pipeline.compute.device.type, compile=pipeline.compute.compile
    )
    data = 4 * real.shape.pixels * (len(real.train) + len(real.test))
    return method.loop_seconds(sizes, job.ipc), (method.peak_bytes(sizes, job.ipc) or 0) + data + PROCESS_BYTES
