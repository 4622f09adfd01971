"""The stages of a recipe, each carried out once: experts, distillation, selection, evaluation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ddbench.artefact import describe
from ddbench.commands.buffers import imported_experts
from ddbench.commands.jobs import BufferNeed, Job, jobs_of, resolved
from ddbench.commands.place import Place
from ddbench.data import RealSet, load_dataset
from ddbench.data.sources import check_dataset_name
from ddbench.errors import UserError
from ddbench.evaluate.make_row import make_row, synthetic_sha256
from ddbench.evaluate.protocols import protocol
from ddbench.evaluate.rows import Row, load_rows
from ddbench.evaluate.score import score
from ddbench.evaluate.selection import select
from ddbench.execution import choose_device, code_identity, device_name, peak_bytes, versions
from ddbench.expert_buffers.record import train_experts
from ddbench.expert_buffers.store import ExpertBuffer
from ddbench.method import DirectMethod, OptimisedMethod, OuterStep, Task
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.outer_loop import Run, optimise
from ddbench.randomness import derive
from ddbench.recipe import LoadedRecipe
from ddbench.synthetic import SyntheticSet, load_synthetic


class Pipeline:
    """A recipe, checked whole before its first second is spent, and the stages that carry it out.

    Every stage looks at what is on disk and does what is missing. Errors: UserError for anything wrong in the recipe.
    """

    def __init__(self, loaded: LoadedRecipe, place: Place) -> None:
        self.loaded, self.recipe, self.place = loaded, loaded.recipe, place
        where, asked = loaded.where, loaded.recipe
        check_dataset_name(asked.dataset, where("dataset"))
        self.network = canonical_network_name(asked.network, where("network"))
        named = enumerate(asked.evaluation.networks)
        self.networks = [canonical_network_name(n, where("evaluation", "networks", i)) for i, n in named] or [
            self.network
        ]
        self.protocol = protocol(asked.evaluation.protocol, where("evaluation", "protocol"))
        if not asked.methods:
            raise UserError(
                "a recipe needs at least one method", f"from  {where('methods')}", fix="add one under methods"
            )
        self.device = choose_device(place.device)
        self.jobs = jobs_of(loaded, self.network, place.home)

    @property
    def buffers(self) -> list[BufferNeed]:
        """The buffers that the jobs need, each once."""
        return list({job.buffer.folder: job.buffer for job in self.jobs if job.buffer is not None}.values())

    @property
    def results(self) -> Path:
        return self.place.home / "results"

    @cached_property
    def real(self) -> RealSet:
        """The data set, on the device."""
        asked = self.recipe
        loaded = load_dataset(
            asked.dataset,
            preprocessing=asked.preprocessing,
            validation=asked.validation,
            seed=asked.seed,
            home=self.place.home,
            data_root=self.place.data_root,
            size=asked.size,
            quiet=self.place.quiet,
            where=self.loaded.where("dataset"),
        )
        for ipc in asked.ipc:
            loaded.require_ipc(ipc)
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
        )

    def task(self, job: Job) -> Task:
        experts = None if job.buffer is None else self.record(job.buffer)
        return Task(
            real=self.real, network=self.student, network_name=self.network, experts=experts, device=self.device
        )

    def distill(self, job: Job) -> list[Path]:
        """The candidates of a job, one file each, in the order of outer steps; nothing is done twice."""
        run = Run(job.folder)
        last = run.candidate(job.method.iterations if isinstance(job.method, OptimisedMethod) else 0)
        if not last.exists():
            task = self.task(job)
            if isinstance(job.method, OptimisedMethod):
                seed, progress = derive(self.recipe.seed, "distill"), self.place.progress()
                optimise(job.method, task, job.ipc, job.folder, seed=seed, progress=progress)
            elif isinstance(job.method, DirectMethod):
                self._distill_directly(job.method, job, task, last)
        if not self.set_path(job).exists():
            self._publish(job, last, "last")
        return sorted(run.candidates.glob("*.safetensors"))

    def _distill_directly(self, method: DirectMethod, job: Job, task: Task, path: Path) -> None:
        began = time.monotonic()
        syn = method.distill(task, job.ipc, OuterStep(0, derive(self.recipe.seed, "distill")))
        facts = {"step": 0, "seconds": time.monotonic() - began, "peak_bytes": peak_bytes(self.device), "guard": {}}
        replace(syn, provenance={**syn.provenance, **facts}).save(path)

    def set_path(self, job: Job) -> Path:
        """Where the job's synthetic set lies: the selected one after evaluation, the last one before."""
        return job.folder / "synthetic.safetensors"

    def _buffer_facts(self, job: Job) -> dict[str, Any]:
        if job.buffer is None:
            return {"buffer_fingerprint": None, "expert_seconds": 0.0}
        buffer = ExpertBuffer.open(job.buffer.folder)
        return {"buffer_fingerprint": buffer.fingerprint, "expert_seconds": buffer.seconds}

    def _publish(self, job: Job, candidate: Path, selection: str) -> SyntheticSet:
        """Make a candidate the job's set: with where it comes from, and what the whole run cost, not its part of it."""
        syn = load_synthetic(candidate)
        whole = describe(max(candidate.parent.glob("*.safetensors")))["provenance"]
        origin = {
            "seconds": whole["seconds"],
            "peak_bytes": whole["peak_bytes"],
            "selection": selection,
            "recipe": resolved(self.loaded, job, self.networks),
            "label": job.label,
            "real_fingerprint": self.real.fingerprint,
            **self._buffer_facts(job),
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(self.device),
        }
        syn = replace(syn, method=job.name, provenance={**syn.provenance, **origin})
        syn.save(self.set_path(job))
        return syn

    def evaluate(self, job: Job) -> Iterator[tuple[Row, Path]]:
        """Score a job's selected set on every network of the recipe: the rows and their files; known ones are read."""
        self.distill(job)
        asked = self.recipe.evaluation
        seeds = tuple(self.recipe.seed * asked.seeds + i for i in range(asked.seeds))
        for network in self.networks:
            chosen = select(
                Run(job.folder).candidates,
                asked.selection,
                self.real,
                protocol=self.protocol,
                network=network,
                networks=asked.selection_seeds,
                seed=self.recipe.seed,
                device=self.device,
                progress=self.place.progress(),
            )
            syn = self._publish(job, chosen.path, asked.selection)
            yield self._known(job, syn, network, seeds) or self._score(job, syn, network, seeds)

    def _score(self, job: Job, syn: SyntheticSet, network: str, seeds: tuple[int, ...]) -> tuple[Row, Path]:
        scores = score(
            syn,
            self.real,
            protocol=self.protocol,
            network=network,
            seeds=seeds,
            device=self.device,
            progress=self.place.progress(),
        )
        row = make_row(
            syn,
            self.real,
            scores,
            selection=self.recipe.evaluation.selection,
            device=self.device,
            label=job.label,
            student=self.network if isinstance(job.method, OptimisedMethod) else None,
            expert_seconds=syn.provenance["expert_seconds"],
        )
        return row, row.save(self.results)

    def _known(self, job: Job, syn: SyntheticSet, network: str, seeds: tuple[int, ...]) -> tuple[Row, Path] | None:
        """The row that answers this question already, of this very set, if there is one."""
        asked = (job.label, network, self.protocol.key, self.recipe.evaluation.selection, seeds, synthetic_sha256(syn))
        for row in load_rows([self.results]) if self.results.exists() else []:
            found = (row.label, row.network, row.protocol, row.selection, row.seeds, row.synthetic_sha256)
            if found == asked and row.recipe == syn.provenance["recipe"]:
                return row, row.path(self.results)
        return None
