"""The stages of a recipe, each carried out once: experts, distillation, selection, evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from ddbench.artifact import describe
from ddbench.data import RealSet, load_dataset
from ddbench.data.memory_limits import refuse_huge_size
from ddbench.data.sources import check_dataset_name
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_state import require_same
from ddbench.distillation.run import last_candidate, run
from ddbench.distillation.run_dir import Run
from ddbench.distillation.task import Task
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.protocols.builtin import protocol
from ddbench.evaluate.protocols.network_pools import expanded
from ddbench.evaluate.selection import select
from ddbench.evaluate.training.worker_count import should_parallelize
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.expert_training import train_experts, training_cost
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.networks.mixing import refuse_mixed_batches
from ddbench.pipeline.candidate_series import (
    candidate_series,
    with_run_facts,
    write_selected,
)
from ddbench.pipeline.checks import (
    refuse_protocol_without_teachers,
    refuse_selection_without_images,
    require_methods_fit,
    require_networks_fit,
)
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.evaluator import Evaluator
from ddbench.pipeline.executor_choice import MIN_PARALLEL_SECONDS
from ddbench.pipeline.imported_experts import imported_experts
from ddbench.pipeline.jobs import BufferSpec, Job, jobs_of, resolved, shared_buffers
from ddbench.pipeline.rank_consistency import check_ranks_agree, join_ranks
from ddbench.pipeline.teachers import get_teachers
from ddbench.randomness import derive
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.runtime.executors import Executor
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.teachers import Teachers


class Pipeline:
    """A recipe, checked whole before its first second is spent, and the stages that carry it out.

    Every stage looks at what is on disk and does what is missing.

    Raises:
        UserError: Anything wrong in the recipe.
    """

    def __init__(self, loaded: LoadedRecipe, context: RunContext) -> None:
        self.loaded, self.recipe, self.context = loaded, loaded.recipe, context
        where, asked = loaded.where, loaded.recipe
        check_dataset_name(asked.dataset, where("dataset"))
        refuse_huge_size(asked.dataset, asked.size, where("size"))
        self.network = canonical_network_name(asked.network, where("network"))
        self.protocol = protocol(asked.evaluation.protocol, where("evaluation", "protocol"))
        named = asked.evaluation.networks
        places = [where("evaluation", "networks", number) for number in range(len(named))]
        self.asked = expanded(named or [self.protocol.network or self.network], self.network, places)
        self.networks = [asked.network for asked in self.asked]
        if not asked.methods:
            raise UserError(
                "a recipe needs at least one method", f"from  {where('methods')}", fix="add one under methods"
            )
        self.device, self.ranks = join_ranks(context)
        self.jobs = jobs_of(loaded, self.network, context.home)
        self.executor: Executor | None = None
        refuse_selection_without_images(loaded, self.jobs)
        refuse_protocol_without_teachers(loaded, self.protocol, self.jobs)
        check_ranks_agree(self.ranks, loaded, self.jobs, self.networks, context)

    @property
    def buffers(self) -> list[BufferSpec]:
        """The buffers that the jobs need, each once: as large as the most demanding of them wants it."""
        return shared_buffers(self.jobs)

    @property
    def results(self) -> Path:
        return self.context.home / "results"

    def load(self, preprocessing: str) -> RealSet:
        """The recipe's data set, seen through a preprocessing; a ZCA that is not cached takes minutes to fit."""
        named = {name: getattr(self.recipe, name) for name in ("validation", "seed", "size", "mirror")}
        location = {"home": self.context.home, "data_root": self.context.data_root, "quiet": self.context.quiet}
        where = self.loaded.where("dataset")
        return load_dataset(self.recipe.dataset, preprocessing=preprocessing, where=where, **named, **location)

    @cached_property
    def real(self) -> RealSet:
        """The data set, with its inputs on the device.

        Raises:
            UserError: An ipc or a network does not fit it.
        """
        with self.ranks.rank_0_first():
            loaded = self.load(self.recipe.preprocessing)
        for ipc in self.recipe.ipc:
            loaded.require_ipc(ipc, self.loaded.where("ipc"))
        require_networks_fit(self.loaded, loaded, self.network, self.jobs)
        require_methods_fit(self.loaded, loaded, self.jobs)
        return loaded.to(self.device)

    @cached_property
    def student(self) -> FlatNetwork:
        real = self.real
        seed = derive(self.recipe.seed, "student")
        module = build_network(self.network, real.shape, seed=seed)
        return FlatNetwork(module).to(self.device)

    def record(self, need: BufferSpec) -> ExpertBuffer:
        """The experts of one buffer, trained where they are missing; imported ones serve as they are."""
        imported = imported_experts(need, lambda: self.real, self.network)
        return imported or train_experts(
            need.folder,
            self.real,
            self.network,
            need.recipe,
            epochs=need.epochs,
            seed=self.recipe.seed,
            device=self.device,
            progress=self.context.progress(),
            checkpoint_seconds=self.context.checkpoint_seconds,
            compile=self.context.compile,
            ranks=self.ranks,
            executor=self._for_experts(need),
        )

    def _for_experts(self, need: BufferSpec) -> Executor | None:
        """Who trains the experts of a buffer. Ranks share them out themselves."""
        if not self.ranks.alone:
            return None
        seconds, each = training_cost(self.real, self.network, need.recipe, need.epochs, self.device)
        return self.context.executors.on(
            self.device, worth=need.recipe.count * seconds > MIN_PARALLEL_SECONDS, each=each
        )

    def task(self, job: Job) -> Task:
        if isinstance(job.method, OptimizedMethod) and not self.ranks.alone:
            refuse_mixed_batches(self.student, self.real.shape)
        experts = None if job.buffer is None else self.record(job.buffer)
        digest = None if experts is None else experts.digest(job.method.needed_epochs() or 0)
        wanted = job.method.required_teachers()
        teachers = wanted and self._get_teachers(wanted).to(self.device)
        provenance = {
            **({} if experts is None or not experts.description.notes else {"notes": list(experts.description.notes)}),
            "recipe": resolved(self.loaded, job, self.networks),
            "label": job.label,
            "student": self.network if isinstance(job.method, OptimizedMethod) else None,
            "real_fingerprint": self.real.fingerprint,
            "buffer_fingerprint": digest,
            "expert_seconds": 0.0 if experts is None else experts.seconds,
            "code": code_identity(),
            "versions": versions(),
            "device": ("" if self.ranks.alone else f"{self.ranks.world} x ") + device_name(self.device),
        }
        origin = {"real images": self.real.fingerprint, "experts": digest}
        origin |= {"teachers": teachers.fingerprint} if teachers else {}
        self.ranks.require_same(origin, fix="give all ranks the same home and the same data")
        return Task(
            real=self.real,
            network=self.student,
            network_name=self.network,
            experts=experts,
            device=self.device,
            teachers=teachers,
            method=job.name,
            origin=origin,
            provenance=provenance,
            compile=self.context.compile,
            ranks=self.ranks,
        )

    def distill(self, job: Job) -> list[Path]:
        """The candidates of a job, one file each, in the order of outer steps; nothing is done twice.

        Raises:
            UserError: A run that is done was made from other images than lie there now.
        """
        last = last_candidate(job.method, job.folder)
        if self.ranks.decided(self.ranks.writes and last.exists()):
            made_from = describe(last).get("provenance", {}).get("identity") or {}
            require_same(made_from, {**made_from, "real images": self.real.fingerprint}, job.folder)
        else:
            task = self.task(job)
            run(
                job.method,
                task,
                job.ipc,
                job.folder,
                seed=derive(job.seed, "distill"),
                checkpoint_seconds=self.context.checkpoint_seconds,
                progress=self.context.progress(),
                executor=self._for_jobs(job, task),
            )
        for line in candidate_series(job):
            if self.ranks.writes and not line.set_path.exists():
                write_selected(line, with_run_facts(line, line.folder / last.name, "last", self._evaluation_of(job)))
        self.ranks.wait()
        return Run(job.folder).candidate_files()

    def _for_jobs(self, job: Job, task: Task) -> Executor | None:
        """Who does the jobs of a method that is made of independent ones."""
        if not isinstance(job.method, JobMethod) or not self.ranks.alone:
            return None
        return self.context.executors.on(self.device, worth=job.method.seconds(task, job.ipc) > MIN_PARALLEL_SECONDS)

    def set_path(self, job: Job) -> Path:
        """Where the job's synthetic set lies: the last one at first, after evaluation the one selected.

        Where several networks are asked, each selects for itself, and it is the choice of the first.
        """
        return candidate_series(job)[0].set_path

    def set_paths(self, job: Job) -> list[Path]:
        """Where the sets lie that a job leaves."""
        return [line.set_path for line in candidate_series(job)]

    def references(self) -> Iterator[tuple[Row, Path]]:
        """Rows that no set is needed for: of images there are none."""
        return iter(())

    def evaluate(self, job: Job) -> Iterator[tuple[Row, Path]]:
        """Score a job's selected sets on every network of the recipe: the rows and their files; known ones are read.

        Each network selects for itself; but for those of a pool, which all judge the set that the student's selects.
        """
        candidates = self.distill(job)
        asked = self.recipe.evaluation
        seeds = tuple(job.seed * asked.seeds + i for i in range(asked.seeds))
        worth = should_parallelize(load_synthetic(candidates[-1]), self.protocol, self.networks, asked.seeds)
        self.executor = self.context.executors.on(self.device, worth=worth)
        evaluator, own = self._evaluator(seeds, job.seed), self.protocol.network or self.network
        for line, (number, entry) in product(candidate_series(job), enumerate(self.asked)):
            chosen = select(
                line.folder,
                asked.selection,
                self.real,
                protocol=self.protocol,
                network=own if entry.pools else entry.network,
                networks=asked.selection_seeds,
                seed=job.seed,
                device=self.device,
                steps=asked.steps,
                teachers=self.teachers,
                progress=self.context.progress(),
                executor=self.executor,
                compile=self.context.compile,
            )
            syn = with_run_facts(line, chosen.path, asked.selection, self._evaluation_of(job))
            if number == 0:
                write_selected(line, syn)
            yield evaluator.known(syn, entry, asked.selection, job.ipc) or evaluator.row(syn, entry, asked.selection)

    def _evaluation_of(self, job: Job) -> dict[str, Any]:
        return resolved(self.loaded, job, self.networks)["evaluation"]  # as the recipe of a set records it

    def _evaluator(self, seeds: tuple[int, ...], seed: int) -> Evaluator:
        asked = self.recipe.evaluation
        return Evaluator(
            real=self.real,
            protocol=self.protocol,
            device=self.device,
            context=self.context,
            seeds=seeds,
            seed=seed,
            lr_policy=asked.lr,
            rates=asked.rates or RATES,
            steps=asked.steps,
            search_seeds=asked.selection_seeds,
            teachers=self.teachers,
            executor=self.executor,
        )

    @cached_property
    def teachers(self) -> Teachers | None:
        """Who label while networks are trained, trained where they are missing; None where the recipe names none."""
        asked = self.recipe.evaluation.teachers
        return asked and self._get_teachers(asked)

    def _get_teachers(self, teachers_recipe: TeachersRecipe) -> Teachers:
        with self.ranks.rank_0_first():
            return get_teachers(teachers_recipe, self.real, self.context, self.recipe.seed, self.device)
