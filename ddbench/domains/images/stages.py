"""Stages of a recipe on images, each carried out once: experts, distillation, selection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path

from ddbench.artifact import describe
from ddbench.distillation.outer_state import require_same
from ddbench.distillation.run import last_candidate, run
from ddbench.distillation.task import Task
from ddbench.domains.images.evaluator import ImageEvaluator
from ddbench.domains.images.task import make_student, make_task
from ddbench.domains.images.teachers import get_teachers
from ddbench.evaluate.leaderboard.row import RowSelection
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.evaluate.selection import select
from ddbench.evaluate.training.worker_count import should_parallelize
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.expert_training import train_experts, training_cost
from ddbench.networks import FlatNetwork
from ddbench.networks.mixing import refuse_mixed_batches
from ddbench.pipeline.candidate_series import CandidateSeries, candidate_series, with_run_facts, write_selected
from ddbench.pipeline.executor_choice import MIN_PARALLEL_SECONDS
from ddbench.pipeline.imported_experts import imported_experts
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.pipeline.pipeline import Pipeline
from ddbench.randomness import derive
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.teachers import Teachers


class TeacherNetworks:
    """Teachers of a recipe, trained where they are missing."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @cached_property
    def of_evaluation(self) -> Teachers | None:
        """Teachers that label while networks are trained; None where the recipe names none."""
        recipe = self.pipeline.recipe.evaluation.teachers
        return recipe and self.get(recipe)

    def get(self, recipe: TeachersRecipe) -> Teachers:
        """Train teachers, or read them.

        Args:
            recipe: Networks, protocol and epochs.

        Returns:
            The teachers, the same on all ranks.
        """
        with self.pipeline.compute.ranks.rank_0_first():
            pipeline = self.pipeline
            return get_teachers(recipe, pipeline.real, pipeline.context.home, pipeline.recipe.seed, pipeline.compute)


class TrainExperts:
    """Training of the experts that a job's method looks at. A set that is made needs none any more."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._buffers: dict[tuple[Path, int, int], ExpertBuffer] = {}

    def done(self, job: Job) -> bool:
        return (
            job.buffer is None or _key(job.buffer) in self._buffers or last_candidate(job.method, job.folder).exists()
        )

    def run(self, job: Job) -> None:
        """Train the experts that a job lacks.

        Args:
            job: The job.

        Raises:
            UserError: Before training begins, where ranks could not share the student's batches.
        """
        pipeline, ranks = self.pipeline, self.pipeline.compute.ranks
        if job.buffer is None or ranks.decided(ranks.writes and self.done(job)):
            return
        if job.method.outer_steps and not ranks.alone:
            student = make_student(pipeline.real, pipeline.network, 0, pipeline.compute.device)
            refuse_mixed_batches(student, pipeline.real.shape)
        self.train(job.buffer)

    def train(self, spec: BufferSpec) -> ExpertBuffer:
        """Train the experts of a buffer that are missing, and open it; imported ones serve as they are.

        Args:
            spec: The buffer, with the number of experts and epochs.

        Returns:
            The open buffer; opened once in a process.
        """
        key, pipeline = _key(spec), self.pipeline
        if key not in self._buffers:
            imported = imported_experts(spec, lambda: pipeline.real, pipeline.network)
            self._buffers[key] = imported or train_experts(
                spec.folder,
                pipeline.real,
                pipeline.network,
                spec.recipe,
                epochs=spec.epochs,
                seed=pipeline.recipe.seed,
                compute=self._compute(spec),
            )
        return self._buffers[key]

    def _compute(self, spec: BufferSpec) -> Compute:
        """How the experts of a buffer are trained. Ranks share them out themselves."""
        pipeline, compute = self.pipeline, self.pipeline.compute
        if not compute.ranks.alone:
            return compute
        seconds, each = training_cost(pipeline.real, pipeline.network, spec.recipe, spec.epochs, compute.device)
        worth = spec.recipe.count * seconds > MIN_PARALLEL_SECONDS
        return pipeline.context.shared_out(pipeline.compute, worth=worth, each=each)


def _key(spec: BufferSpec) -> tuple[Path, int, int]:
    return spec.folder, spec.recipe.count, spec.epochs


class Distill:
    """Distillation by a method, with ranks or executors where it can use them."""

    def __init__(self, pipeline: Pipeline, experts: TrainExperts, teachers: TeacherNetworks) -> None:
        self.pipeline, self.experts, self.teachers = pipeline, experts, teachers

    def done(self, job: Job) -> bool:
        return last_candidate(job.method, job.folder).exists()

    def run(self, job: Job) -> None:
        """Make the candidates of a job, one file each, and its set, at first the last of them.

        Args:
            job: The job.

        Raises:
            UserError: A run that is done was made from other images than lie there now.
        """
        pipeline, ranks, last = self.pipeline, self.pipeline.compute.ranks, last_candidate(job.method, job.folder)
        if ranks.decided(ranks.writes and self.done(job)):
            made_from = describe(last).get("provenance", {}).get("identity") or {}
            require_same(made_from, {**made_from, "real images": pipeline.real.fingerprint}, job.folder)
        else:
            run(job.method, self.prepare(job), job.ipc, job.folder, seed=derive(job.seed, "distill"))
        for series in candidate_series(job):
            if ranks.writes and not series.set_path.exists():
                evaluation = pipeline.resolved(job)["evaluation"]
                write_selected(series, with_run_facts(series, series.folder / last.name, "last", evaluation))
        ranks.wait()

    @cached_property
    def student(self) -> FlatNetwork:
        """The student of all methods, its first parameters those of the recipe's seed."""
        pipeline = self.pipeline
        seed = derive(pipeline.recipe.seed, "student")
        return make_student(pipeline.real, pipeline.network, seed, pipeline.compute.device)

    def prepare(self, job: Job) -> Task:
        """Make the task of a job; experts and teachers are trained where they are missing."""
        pipeline, wanted = self.pipeline, job.method.required_teachers()
        task = make_task(
            job.method,
            job.name,
            pipeline.real,
            self.student,
            pipeline.network,
            compute=pipeline.compute,
            experts=None if job.buffer is None else self.experts.train(job.buffer),
            teachers=wanted and self.teachers.get(wanted),
            provenance={"recipe": pipeline.resolved(job), "label": job.label},
        )
        seconds = job.method.seconds(task, job.ipc)
        if seconds is None or not task.ranks.alone:
            return task
        return replace(
            task, compute=pipeline.context.shared_out(pipeline.compute, worth=seconds > MIN_PARALLEL_SECONDS)
        )


class SelectCandidate:
    """Selection of the candidate that is scored, by every network for itself.

    The networks of a pool all score the set that the student selects.
    """

    def __init__(self, pipeline: Pipeline, distill: Distill, teachers: TeacherNetworks) -> None:
        self.pipeline, self.distill, self.teachers = pipeline, distill, teachers
        self._chosen: dict[tuple[Path, str], Path] = {}
        self._worth: dict[Path, bool] = {}

    def done(self, job: Job) -> bool:
        return self.distill.done(job) and all(path.exists() for path in self.pipeline.set_paths(job))

    def run(self, job: Job) -> None:
        """Select candidates, and write the choice of the first network as the set of the job.

        Args:
            job: The job, distilled.
        """
        for series, request in product(candidate_series(job), self.pipeline.requests):
            chosen = self._choose(job, series, request)
            if request is self.pipeline.requests[0]:
                write_selected(series, self._with_facts(job, series, chosen))

    def sets(self, job: Job) -> Iterator[tuple[SyntheticSet, NetworkRequest, RowSelection]]:
        for series, request in product(candidate_series(job), self.pipeline.requests):
            syn = self._with_facts(job, series, self._choose(job, series, request))
            yield syn, request, self.pipeline.recipe.evaluation.selection

    def _with_facts(self, job: Job, series: CandidateSeries, candidate: Path) -> SyntheticSet:
        selection = self.pipeline.recipe.evaluation.selection
        return with_run_facts(series, candidate, selection, self.pipeline.resolved(job)["evaluation"])

    def _choose(self, job: Job, series: CandidateSeries, request: NetworkRequest) -> Path:
        """The candidate that a network selects."""
        pipeline, evaluation = self.pipeline, self.pipeline.recipe.evaluation
        network = (pipeline.protocol.network or pipeline.network) if request.pools else request.network
        if (known := self._chosen.get((series.set_path, network))) is not None:
            return known
        chosen = select(
            series.folder,
            evaluation.selection,
            pipeline.real,
            protocol=pipeline.protocol,
            network=network,
            networks=evaluation.selection_seeds,
            seed=job.seed,
            compute=self.compute(job),
            steps=evaluation.steps,
            teachers=self.teachers.of_evaluation,
        )
        self._chosen[series.set_path, network] = chosen.path
        return chosen.path

    def compute(self, job: Job) -> Compute:
        """Decide how the networks that select and score are trained.

        Args:
            job: The job, distilled; the size of its last candidate decides.

        Returns:
            The recipe's computation, with several processes where they are worth it.
        """
        pipeline, count = self.pipeline, self.pipeline.recipe.evaluation.seeds
        if job.folder not in self._worth:
            syn = load_synthetic(last_candidate(job.method, job.folder))
            running = pipeline.context.executors.running
            self._worth[job.folder] = should_parallelize(
                syn, pipeline.protocol, pipeline.networks, count, running=running
            )
        return pipeline.context.shared_out(pipeline.compute, worth=self._worth[job.folder])

    def evaluator(self, job: Job) -> ImageEvaluator:
        """Make the evaluator of the sets of a job.

        Args:
            job: The job.

        Returns:
            An evaluator with the recipe's learning rates and teachers.
        """
        evaluation = self.pipeline.recipe.evaluation
        return ImageEvaluator(
            **self.pipeline.evaluator_fields(job, self.compute(job)),
            seed=job.seed,
            lr_policy=evaluation.lr,
            rates=evaluation.rates or RATES,
            steps=evaluation.steps,
            search_seeds=evaluation.selection_seeds,
            teachers=self.teachers.of_evaluation,
        )
