"""Stages of a recipe: experts, distillation, selection, evaluation. Each does what is missing, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddbench.evaluate.leaderboard.row import Row, RowSelection
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.pipeline.evaluator import Evaluator
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.runtime.compile import release_graphs

if TYPE_CHECKING:
    from ddbench.pipeline.pipeline import Pipeline


class Stage(Protocol):
    """One stage."""

    def done(self, job: Job) -> bool:
        """Tell whether what the stage makes of a job lies there; nothing is made or changed.

        Args:
            job: The job.

        Returns:
            True where ``run`` would make nothing.
        """
        ...

    def run(self, job: Job) -> Any:
        """Make what is missing of a job, and check what is there. Called again, it costs next to nothing.

        Args:
            job: The job.

        Returns:
            The result of the stage, such as the file of a set or a list of rows.
        """
        ...


class Experts(Stage, Protocol):
    """The stage that trains expert networks."""

    def train(self, spec: BufferSpec) -> Any:
        """Train the experts of a buffer that are missing, and open it.

        Args:
            spec: The buffer, with the number of experts and epochs.

        Returns:
            The open buffer.
        """
        ...


class Select(Stage, Protocol):
    """The stage that chooses which of a job's candidates is scored."""

    def sets(self, job: Job) -> Iterator[tuple[Any, NetworkRequest, RowSelection]]:
        """Read each set that is scored when its turn comes.

        Args:
            job: The job whose candidates were selected from.

        Yields:
            The set, the network that scores it, and the rule by which it was chosen.
        """
        ...


@dataclass(frozen=True)
class Stages:
    """The stages of a recipe, in their order."""

    experts: Experts
    """Trains expert networks."""
    distill: Stage
    """Makes the candidates of a synthetic set."""
    select: Select
    """Chooses among them."""
    evaluate: Evaluate
    """Scores what was chosen."""

    def run(self, job: Job, last: str = "evaluate") -> Any:
        """Run the stages of a job, one after the other.

        Args:
            job: The job.
            last: Name of the stage after which to stop.

        Returns:
            What the last of them returns.
        """
        for name in ("experts", "distill", "select", "evaluate"):
            result = getattr(self, name).run(job)
            release_graphs()
            if name == last:
                return result
        raise ValueError(f"there is no stage {last!r}")


class Evaluate:
    """Evaluation of the sets that selection chose; rows that answer already are read.

    Args:
        pipeline: The recipe that it is a stage of.
        select: The stage that chooses sets.
        make_evaluator: Makes the evaluator of a job's sets.
    """

    def __init__(self, pipeline: Pipeline, select: Select, make_evaluator: Callable[[Job], Evaluator]) -> None:
        self.pipeline, self.select, self.make_evaluator = pipeline, select, make_evaluator

    def done(self, job: Job) -> bool:
        if not self.select.done(job):
            return False
        evaluator = self.make_evaluator(job)
        return all(evaluator.known(*scored, job.ipc) for scored in self.select.sets(job))

    def run(self, job: Job) -> list[tuple[Row, Path]]:
        """Score a job's sets on every network of the recipe.

        Args:
            job: The job.

        Returns:
            Rows with their files; those that are there already are read.
        """
        evaluator = self.make_evaluator(job)
        return [evaluator.known(*scored, job.ipc) or evaluator.row(*scored) for scored in self.select.sets(job)]
