"""The stages of a recipe, each carried out once: experts, distillation, selection, evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path

from ddbench.artefact import describe
from ddbench.commands.buffers import imported_experts
from ddbench.commands.checks import (
    refuse_protocol_without_teachers,
    refuse_selection_without_images,
    require_methods_fit,
    require_networks_fit,
)
from ddbench.commands.jobs import BufferNeed, Job, jobs_of, resolved, shared_buffers
from ddbench.commands.judging import Judging, with_pools
from ddbench.commands.lines import Line, holds, lines_of
from ddbench.commands.place import Place
from ddbench.commands.schooling import taught
from ddbench.data import RealSet, load_dataset
from ddbench.data.sources import check_dataset_name
from ddbench.distillation import carry_out, last_candidate
from ddbench.errors import UserError
from ddbench.evaluate.make_row import synthetic_sha256
from ddbench.evaluate.pools import Asked, expanded
from ddbench.evaluate.protocols import protocol
from ddbench.evaluate.rates import RATES
from ddbench.evaluate.rows import Row, folder_of, load_rows
from ddbench.evaluate.selection import select
from ddbench.evaluate.workers import Workers, workers_for, worth_workers
from ddbench.execution import choose_device, code_identity, device_name, versions
from ddbench.expert_buffers.record import train_experts
from ddbench.expert_buffers.store import ExpertBuffer
from ddbench.learner import require_same
from ddbench.method import OptimisedMethod, Task
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.randomness import derive
from ddbench.recipe import LoadedRecipe
from ddbench.run_folder import Run
from ddbench.synthetic import SyntheticSet, load_synthetic
from ddbench.teachers import Teachers
from ddbench.teachers_recipe import TeachersRecipe


class Pipeline:
    """A recipe, checked whole before its first second is spent, and the stages that carry it out.

    Every stage looks at what is on disk and does what is missing. Errors: UserError for anything wrong in the recipe.
    """

    def __init__(self, loaded: LoadedRecipe, place: Place) -> None:
        self.loaded, self.recipe, self.place = loaded, loaded.recipe, place
        where, asked = loaded.where, loaded.recipe
        check_dataset_name(asked.dataset, where("dataset"))
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
        self.device = choose_device(place.device)
        self.jobs = jobs_of(loaded, self.network, place.home)
        self.workers: Workers | None = None
        refuse_selection_without_images(loaded, self.jobs)
        refuse_protocol_without_teachers(loaded, self.protocol, self.jobs)

    @property
    def buffers(self) -> list[BufferNeed]:
        """The buffers that the jobs need, each once: as large as the most demanding of them wants it."""
        return shared_buffers(self.jobs)

    @property
    def results(self) -> Path:
        return self.place.home / "results"

    def load(self, preprocessing: str) -> RealSet:
        """The recipe's data set, seen through a preprocessing; a ZCA that is not cached takes minutes to fit."""
        asked = self.recipe
        return load_dataset(
            asked.dataset,
            preprocessing=preprocessing,
            validation=asked.validation,
            seed=asked.seed,
            home=self.place.home,
            data_root=self.place.data_root,
            size=asked.size,
            mirror=asked.mirror,
            quiet=self.place.quiet,
            where=self.loaded.where("dataset"),
        )

    @cached_property
    def real(self) -> RealSet:
        """The data set, with its inputs on the device. Errors: UserError where an ipc or a network does not fit it."""
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
        module = build_network(self.network, channels=real.channels, size=real.size, classes=real.classes, seed=seed)
        return FlatNetwork(module).to(self.device)

    def record(self, need: BufferNeed) -> ExpertBuffer:
        """The experts of one buffer, trained where they are missing; imported ones serve as they are."""
        imported = imported_experts(need, self.real, self.network)
        return imported or train_experts(
            need.folder,
            self.real,
            self.network,
            need.recipe,
            epochs=need.epochs,
            seed=self.recipe.seed,
            device=self.device,
            progress=self.place.progress(),
            checkpoint_seconds=self.place.checkpoint_seconds,
        )

    def task(self, job: Job) -> Task:
        experts = None if job.buffer is None else self.record(job.buffer)
        digest = None if experts is None else experts.digest(job.method.needed_epochs() or 0)
        wanted = job.method.teachers_wanted()
        teachers = wanted and self._taught(wanted).to(self.device)
        provenance = {
            "recipe": resolved(self.loaded, job, self.networks),
            "label": job.label,
            "student": self.network if isinstance(job.method, OptimisedMethod) else None,
            "real_fingerprint": self.real.fingerprint,
            "buffer_fingerprint": digest,
            "expert_seconds": 0.0 if experts is None else experts.seconds,
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(self.device),
        }
        return Task(
            real=self.real,
            network=self.student,
            network_name=self.network,
            experts=experts,
            device=self.device,
            teachers=teachers,
            method=job.name,
            origin={
                "real images": self.real.fingerprint,
                "experts": digest,
                **({"teachers": teachers.fingerprint} if teachers else {}),
            },
            provenance=provenance,
            compile=self.place.compile,
        )

    def distill(self, job: Job) -> list[Path]:
        """The candidates of a job, one file each, in the order of outer steps; nothing is done twice.

        Errors: UserError when a run that is done was made from other images than lie there now.
        """
        last = last_candidate(job.method, job.folder)
        if last.exists():
            made_from = describe(last)["provenance"]["identity"]
            require_same(made_from, {**made_from, "real images": self.real.fingerprint}, job.folder)
        else:
            carry_out(
                job.method,
                self.task(job),
                job.ipc,
                job.folder,
                seed=derive(self.recipe.seed, "distill"),
                checkpoint_seconds=self.place.checkpoint_seconds,
                progress=self.place.progress(),
            )
        for line in lines_of(job):
            if not line.set_path.exists():
                self._publish(line, self._as_set(job, line, line.folder / last.name, "last"))
        return Run(job.folder).kept()

    def set_path(self, job: Job) -> Path:
        """Where the job's synthetic set lies: the last one at first, after evaluation the one selected.

        Where several networks are asked, each selects for itself, and it is the choice of the first.
        """
        return lines_of(job)[0].set_path

    def set_paths(self, job: Job) -> list[Path]:
        """Where the sets lie that a job leaves."""
        return [line.set_path for line in lines_of(job)]

    def references(self) -> Iterator[tuple[Row, Path]]:
        """Rows that no set is needed for: of images there are none."""
        return iter(())

    def _publish(self, line: Line, syn: SyntheticSet) -> None:
        """Make this the set of a line of candidates, unless it is already."""
        if not (line.set_path.exists() and holds(line.set_path, syn)):
            syn.save(line.set_path)

    def _as_set(self, job: Job, line: Line, candidate: Path, selection: str) -> SyntheticSet:
        """A candidate as it was made, with how it is evaluated, and what the whole run cost, not its part of it."""
        syn = load_synthetic(candidate)
        whole = describe(Run(candidate.parent.parent).kept()[-1])["provenance"]
        cost = {"seconds": whole["seconds"], "peak_bytes": whole["peak_bytes"]}
        asked_now = {"evaluation": resolved(self.loaded, job, self.networks)["evaluation"]}
        recipe = {**syn.provenance["recipe"], **asked_now}
        told = {"selection": selection, "recipe": recipe, "label": line.label}
        return replace(syn, provenance={**syn.provenance, **cost, **told})

    def evaluate(self, job: Job) -> Iterator[tuple[Row, Path]]:
        """Score a job's selected sets on every network of the recipe: the rows and their files; known ones are read.

        Each network selects for itself; but for those of a pool, which all judge the set that the student's selects.
        """
        candidates = self.distill(job)
        asked = self.recipe.evaluation
        seeds = tuple(self.recipe.seed * asked.seeds + i for i in range(asked.seeds))
        worth = worth_workers(load_synthetic(candidates[-1]), self.protocol, self.networks, asked.seeds)
        self.workers = self.workers or workers_for(self.device, worth)
        judging, own = self._judging(seeds), self.protocol.network or self.network
        for line, (number, entry) in product(lines_of(job), enumerate(self.asked)):
            chosen = select(
                line.folder,
                asked.selection,
                self.real,
                protocol=self.protocol,
                network=own if entry.pools else entry.network,
                networks=asked.selection_seeds,
                seed=self.recipe.seed,
                device=self.device,
                steps=asked.steps,
                teachers=self.teachers,
                progress=self.place.progress(),
                workers=self.workers,
            )
            syn = self._as_set(job, line, chosen.path, asked.selection)
            if number == 0:
                self._publish(line, syn)
            yield self._known(job, syn, entry, judging) or judging.row(syn, entry, asked.selection)

    def _judging(self, seeds: tuple[int, ...]) -> Judging:
        asked = self.recipe.evaluation
        return Judging(
            real=self.real,
            protocol=self.protocol,
            device=self.device,
            place=self.place,
            seeds=seeds,
            seed=self.recipe.seed,
            lr_policy=asked.lr,
            rates=asked.rates or RATES,
            steps=asked.steps,
            searchers=asked.selection_seeds,
            teachers=self.teachers,
            workers=self.workers,
        )

    @cached_property
    def teachers(self) -> Teachers | None:
        """Who label while networks are trained, trained where they are missing; None where the recipe names none."""
        asked = self.recipe.evaluation.teachers
        return asked and self._taught(asked)

    def _taught(self, asked: TeachersRecipe) -> Teachers:
        return taught(asked, self.real, self.place, self.recipe.seed, self.device)

    def _known(self, job: Job, syn: SyntheticSet, entry: Asked, judging: Judging) -> tuple[Row, Path] | None:
        """The row that answers this question already, of this very set, if there is one."""
        selection, policy = self.recipe.evaluation.selection, judging.policy(entry)
        teachers = judging.labelled_by(syn)
        facts = (syn.provenance["label"], entry.network, self.protocol.key, policy, selection, judging.seeds)
        asked = (*facts, teachers and teachers.fingerprint, synthetic_sha256(syn), self.real.fingerprint)
        folder = folder_of(self.results, self.real.name, job.ipc)
        for row in load_rows([folder]) if folder.exists() else []:
            facts = (row.label, row.network, row.protocol, row.lr_policy, row.selection, row.seeds)
            found = (*facts, row.teachers_fingerprint, row.synthetic_sha256, row.real_fingerprint)
            if found == asked and row.recipe == syn.provenance["recipe"]:
                known = with_pools(row, [pool.name for pool in entry.pools])
                return known, row.path(self.results) if known == row else known.save(self.results)
        return None
