"""Stages of a recipe: experts, distillation, selection, evaluation. Each does what is missing, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddbench.distillation.outer_state import require_same
from ddbench.distillation.run import at_once
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row, RowSelection
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.pipeline.evaluator import Evaluator
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.randomness import derive
from ddbench.runtime.provenance import code_identity, device_name, versions

if TYPE_CHECKING:
    from ddbench.pipeline.pipeline import Pipeline


class Stage(Protocol):
    """One stage."""

    def done(self, job: Job) -> bool:
        """Tell whether what the stage makes of a job lies there; nothing is made or changed."""
        ...

    def run(self, job: Job) -> Any:
        """Make what is missing of a job, and check what is there. Called again, it costs next to nothing."""
        ...


class Experts(Stage, Protocol):
    """The stage that trains expert networks."""

    def train(self, spec: BufferSpec) -> Any:
        """Train the experts of a buffer that are missing, and open it."""
        ...


class Select(Stage, Protocol):
    """The stage that chooses which of a job's candidates is scored."""

    def sets(self, job: Job) -> Iterator[tuple[Any, NetworkRequest, RowSelection]]:
        """Yield each set that is scored, read when its turn comes, with a network and how the set was chosen."""
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
            if name == last:
                return result
        raise ValueError(f"there is no stage {last!r}")


class NoExperts:
    """The first stage of a domain whose methods need no experts."""

    def done(self, job: Job) -> bool:
        del job
        return True

    def run(self, job: Job) -> None:
        del job

    def train(self, spec: BufferSpec) -> Any:
        raise NotImplementedError(f"nobody trains {spec.folder}")


class MakeAtOnce:
    """Distillation by methods that make a set at once; their set is the only candidate."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def done(self, job: Job) -> bool:
        return job.set_path.exists()

    def run(self, job: Job) -> Path:
        """Raises: UserError where the set that is there was made from other data, and what the method finds wrong."""
        domain, real = self.pipeline.domain, self.pipeline.real
        settings = job.method.model_dump(mode="json")
        identity = {"method": job.name, "ipc": job.ipc, "seed": job.seed, **settings}
        identity[f"real {domain.name}"] = real.fingerprint
        if self.done(job):
            require_same(domain.load_set(job.set_path).provenance["identity"], identity, job.folder)
            return job.set_path
        task = domain.task(real, job.name, self._provenance(job))
        try:
            made = at_once(job.method, task, job.ipc, derive(job.seed, "distill"), self.pipeline.device)
        except UserError as error:
            raise error.at(self._location_of(job)) from None
        replace(made, provenance={**made.provenance, "identity": identity}).save(job.set_path)
        return job.set_path

    def _location_of(self, job: Job) -> str:
        asked_for = job.label in self.pipeline.recipe.methods
        beside = f"{job.label}, which stands beside every method"
        return self.pipeline.loaded.where("methods", job.label) if asked_for else beside

    def _provenance(self, job: Job) -> dict[str, Any]:
        return {
            "recipe": self.pipeline.resolved(job),
            "label": job.label,
            "real_fingerprint": self.pipeline.real.fingerprint,
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(self.pipeline.device),
        }


class SetAsItIs:
    """Selection where there is one candidate: it is scored on every network."""

    def __init__(self, pipeline: Pipeline, distill: Stage) -> None:
        self.pipeline, self.done = pipeline, distill.done

    def run(self, job: Job) -> None:
        del job

    def sets(self, job: Job) -> Iterator[tuple[Any, NetworkRequest, RowSelection]]:
        syn = self.pipeline.domain.load_set(job.set_path)
        facts = {"recipe": self.pipeline.resolved(job), "label": job.label}
        syn = replace(syn, provenance={**syn.provenance, **facts})
        for request in self.pipeline.requests:
            yield syn, request, "validation"


class Evaluate:
    """Evaluation of the sets that selection chose; rows that answer already are read."""

    def __init__(self, pipeline: Pipeline, select: Select, make_evaluator: Callable[[Job], Evaluator]) -> None:
        self.pipeline, self.select, self.make_evaluator = pipeline, select, make_evaluator

    def done(self, job: Job) -> bool:
        if not self.select.done(job):
            return False
        evaluator = self.make_evaluator(job)
        return all(evaluator.known(*asked, job.ipc) for asked in self.select.sets(job))

    def run(self, job: Job) -> list[tuple[Row, Path]]:
        """Score a job's sets on every network of the recipe: the rows, with their files."""
        evaluator = self.make_evaluator(job)
        return [evaluator.known(*asked, job.ipc) or evaluator.row(*asked) for asked in self.select.sets(job)]
