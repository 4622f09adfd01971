"""The pipeline: a recipe, checked whole, with the jobs and stages that carry it out."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from ddbench.data.sources import check_dataset_name
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row
from ddbench.pipeline.candidate_series import candidate_series
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.domains import domain_of_dataset
from ddbench.pipeline.job_order import in_turns
from ddbench.pipeline.jobs import BufferSpec, Job, jobs_of, shared_buffers
from ddbench.pipeline.rank_consistency import check_ranks_agree, join_ranks
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.compute import Compute


class Pipeline:
    """A recipe on data of any domain, checked whole before its first second is spent, and its stages.

    Args:
        loaded: The recipe.
        context: Folders, device and policies.

    Raises:
        UserError: Anything wrong in the recipe.
    """

    def __init__(self, loaded: LoadedRecipe, context: RunContext) -> None:
        self.loaded, self.recipe, self.context = loaded, loaded.recipe, context
        recipe, location_of = loaded.recipe, loaded.where
        check_dataset_name(recipe.dataset, location_of("dataset"))
        self.domain = domain_of_dataset(recipe.dataset, location_of("dataset"))
        self.domain.check_recipe(loaded)
        self.network = self.domain.network(recipe.network, location_of("network"))
        named = "protocol" in recipe.evaluation.model_fields_set
        self.protocol = self.domain.protocol(
            recipe.evaluation.protocol if named else None, location_of("evaluation", "protocol")
        )
        self.requests = self.domain.requests(loaded, self.network, self.protocol)
        self.networks = [request.network for request in self.requests]
        if not recipe.methods:
            raise UserError(
                "a recipe needs at least one method", f"from  {location_of('methods')}", fix="add one under methods"
            )
        self.compute = join_ranks(context) if self.domain.parallel else context.compute
        self.jobs = jobs_of(loaded, self.domain.student(self.network), context.home)
        self.domain.check_jobs(self)
        check_ranks_agree(self.compute.ranks, loaded, self.jobs, self.networks, context)
        self.stages = self.domain.stages(self)

    @property
    def buffers(self) -> list[BufferSpec]:
        """The buffers that the jobs need, each once: as large as the most demanding of them wants it."""
        return shared_buffers(self.jobs)

    @property
    def results(self) -> Path:
        """Folder of rows."""
        return self.context.results

    def load(self, **view: Any) -> Any:
        """Load the recipe's data.

        Args:
            **view: What of it is to be other than the recipe says, as its domain has it: ``preprocessing``.

        Returns:
            The real data.
        """
        return self.domain.real_of_recipe(self.loaded, self.context, **view)

    @cached_property
    def real(self) -> Any:
        """Real data of the recipe.

        Raises:
            UserError: An ipc, a network or a method does not fit it.
        """
        with self.compute.ranks.rank_0_first():
            real = self.load()
        for ipc in self.recipe.ipc:
            real.require_ipc(ipc, self.loaded.where("ipc"))
        return self.domain.prepare(self, real)

    def set_paths(self, job: Job) -> list[Path]:
        """Files of the sets that a job leaves.

        Args:
            job: The job.

        Returns:
            The job's own; where that is of moving averages, one of the images that were averaged as well.
        """
        return [series.set_path for series in candidate_series(job)]

    def resolved(self, job: Job) -> dict[str, Any]:
        """Resolve the recipe of one job.

        Args:
            job: One of the recipe's jobs.

        Returns:
            Plain data, as the job's set and rows carry it.
        """
        return self.domain.resolved(self, job)

    @property
    def evaluation_facts(self) -> dict[str, Any]:
        """Evaluation as resolved recipes have it, where protocol, networks and seeds are all of it."""
        seeds = self.recipe.evaluation.seeds
        return {"protocol": self.protocol.key, "networks": list(self.networks), "seeds": seeds}

    def evaluator_fields(self, job: Job, compute: Compute | None = None) -> dict[str, Any]:
        """Fields of the evaluator of a job's sets that the evaluators of all domains have.

        Args:
            job: The job, whose seed decides those of the networks.
            compute: How networks are trained and tested; None is as all stages do.

        Returns:
            Values by field of :class:`ddbench.pipeline.evaluator.Evaluator`.
        """
        count = self.recipe.evaluation.seeds
        return {
            "real": self.real,
            "protocol": self.protocol,
            "compute": compute or self.compute,
            "results": self.results,
            "seeds": tuple(job.seed * count + number for number in range(count)),
            "ipcs": self.recipe.ipc,
        }

    def rows(self) -> list[tuple[Row, Path]]:
        """Run all stages of all jobs.

        Returns:
            Rows with their files, in the order of the recipe; those that need no set come last.
        """
        self.domain.distill_ahead(self)
        made = {job.folder: self.stages.run(job) for job in in_turns(self.jobs)}
        return [*(entry for job in self.jobs for entry in made[job.folder]), *self.domain.references(self)]
