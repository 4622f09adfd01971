"""Training some experts of a buffer into its folder: one job of many, wherever it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.expert_buffers.buffer import DESCRIPTION, scan, write_expert
from ddbench.expert_buffers.checkpoint import ExpertCheckpoint
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.trainer import Trainer
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.executors.executor import ReportProgress
from ddbench.runtime.executors.job_progress import JobProgress
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.runtime.oom import memory_errors
from ddbench.runtime.threads import one_thread


def _remains() -> str:
    return "the experts that are finished, and these as far as their last whole epoch; the same command goes on"


@dataclass(frozen=True, eq=False, kw_only=True)
class ExpertJob(WorkerJob):
    """Called with the numbers of experts that are trained at once, it leaves their files in ``folder``."""

    moved = ("real",)
    folder: Path
    """Folder of the buffer."""
    real: RealSet
    """Real data."""
    network: str
    """The experts' network."""
    recipe: ExpertRecipe
    """Training of the experts."""
    seed: int
    """Seed of all experts."""
    epochs: int
    """Epochs of each expert."""
    description: BufferDescription
    """Description of the buffer."""
    order: Tensor | None = None
    """Training images from the easiest to the hardest, (N,), for a recipe with a curriculum."""
    compiled: bool = False
    """As in ``Trainer``."""

    def __call__(self, experts: Sequence[int], report: ReportProgress) -> None:
        """Errors: UserError where one diverges, when the others are written; where this machine has no such folder."""
        require_seen(self.folder / DESCRIPTION)
        there = scan(self.folder, self.description).usable
        left = [expert for expert in experts if there.get(expert, 0) < self.epochs]
        if not left:
            return
        buffer, pause = self.description.fingerprint, self.compute.checkpoint_seconds
        checkpoints = {expert: ExpertCheckpoint(self.folder, expert, buffer, pause) for expert in left}
        meter = JobProgress(report)
        meter.start(len(left) * self.epochs, "")
        # one thread on a CPU, so that the bits do not depend on how many the machine has
        with (
            one_thread(self.compute.device),
            memory_errors("training experts", _remains, self._memory_suggestions),
        ):
            results = self._trainer.train(checkpoints, self.epochs, self.description, meter)
        for expert, result in results.items():
            if not isinstance(result, UserError):
                trajectory, end = result
                write_expert(self.folder, expert, trajectory, self.description, checkpoints[expert].seconds, end)
                checkpoints[expert].discard()
        for result in results.values():
            if isinstance(result, UserError):
                raise result

    def _memory_suggestions(self) -> list[str]:
        """What makes it smaller where memory ran out."""
        fewer = ["fewer at once (--workers)"] if self.compute.device.type == "cpu" else []
        halved = max(self.recipe.batch // 2, 1)
        return [*fewer, f"-o experts.batch={halved} (other experts)"]

    @cached_property
    def _trainer(self) -> Trainer:
        options = {"order": self.order, "compiled": self.compiled}
        return Trainer(self.here.real, self.network, self.recipe, self.seed, self.compute, **options)

    def trimmed(self) -> ExpertJob:
        """Leave out the test images, which no expert sees.

        Returns:
            The job with the validation images in their stead.
        """
        return replace(self, real=replace(self.real, test=self.real.validation))
