"""The stages of a recipe on graphs: distillation, evaluation, and what can be had without learning."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ddbench.data.sources import check_dataset_name
from ddbench.distillation.outer_state import require_same
from ddbench.distillation.task import OuterStep
from ddbench.errors import UserError
from ddbench.evaluate.graphs.make_row import (
    graph_versions,
    graphs_sha256,
    make_graph_row,
    make_reference_row,
    scores_of,
)
from ddbench.evaluate.graphs.protocols import graph_protocol
from ddbench.evaluate.graphs.score import GraphScores, score_graphs
from ddbench.evaluate.graphs.statistics_baselines import NO_LEARNING, score_no_learning
from ddbench.evaluate.leaderboard.known_rows import completed, known_rows
from ddbench.evaluate.leaderboard.row import Row, without_paths
from ddbench.evaluate.leaderboard.test_split import graph_test_split
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.load import load_graphs
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.networks import canonical_graph_network
from ddbench.graphs.synthetic_graphs import SyntheticGraphs, load_synthetic_graphs
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.graph_checks import refuse_what_graphs_have_not
from ddbench.pipeline.jobs import Job, jobs_of, resolved
from ddbench.randomness import derive
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.device import choose_device, peak_bytes, reset_peak
from ddbench.runtime.provenance import code_identity, device_name, versions

USUAL_PROTOCOL = "graphs-v1"


class GraphPipeline:
    """A recipe on graphs, checked whole before its first second is spent, and the stages that carry it out.

    Every stage looks at what is on disk and does what is missing.

    Raises:
        UserError: Anything wrong in the recipe.
    """

    def __init__(self, loaded: LoadedRecipe, context: RunContext) -> None:
        self.loaded, self.recipe, self.context = loaded, loaded.recipe, context
        where, asked = loaded.where, loaded.recipe
        check_dataset_name(asked.dataset, where("dataset"))
        said = "protocol" in asked.evaluation.model_fields_set
        name = asked.evaluation.protocol if said else USUAL_PROTOCOL
        self.protocol = graph_protocol(name, where("evaluation", "protocol"))
        self.network = canonical_graph_network(asked.network, where("network"))
        self.networks = [
            canonical_graph_network(network, where("evaluation", "networks", number))
            for number, network in enumerate(asked.evaluation.networks)
        ] or [self.network]
        if not asked.methods:
            raise UserError(
                "a recipe needs at least one method", f"from  {where('methods')}", fix="add one under methods"
            )
        self.device = choose_device(context.device)
        refuse_what_graphs_have_not(loaded)
        self.jobs = jobs_of(loaded, "", context.home)

    @property
    def results(self) -> Path:
        return self.context.home / "results"

    def seeds(self, seed: int) -> tuple[int, ...]:
        """Seeds of the networks that score a set, from the seed of its distillation."""
        count = self.recipe.evaluation.seeds
        return tuple(seed * count + i for i in range(count))

    @cached_property
    def real(self) -> GraphSet:
        """The graphs.

        Raises:
            UserError: An ipc is larger than a class.
        """
        return self.graphs()

    def graphs(self, *, download: bool = True) -> GraphSet:
        """The graphs, fetched where they are not on this machine, if they may be.

        Raises:
            UserError: An ipc is larger than a class.
            NotHereError: They may not be fetched.
        """
        asked = self.recipe
        real = load_graphs(
            asked.dataset,
            validation=asked.validation,
            seed=asked.seed,
            home=self.context.home,
            data_root=self.context.data_root,
            quiet=self.context.quiet,
            where=self.loaded.where("dataset"),
            download=download,
        )
        for ipc in asked.ipc:
            real.require_ipc(ipc, self.loaded.where("ipc"))
        return real

    def set_path(self, job: Job) -> Path:
        """Where the job's synthetic set lies."""
        return job.folder / "synthetic.safetensors"

    def set_paths(self, job: Job) -> list[Path]:
        """All sets that a job leaves: one."""
        return [self.set_path(job)]

    def distill(self, job: Job) -> list[Path]:
        """The set of a job, made where it is missing.

        Raises:
            UserError: One that is there was made from other graphs, and what the method finds wrong.
        """
        path = self.set_path(job)
        asked = {
            "method": job.name,
            "ipc": job.ipc,
            "seed": job.seed,
            **job.method.model_dump(mode="json"),
            "real graphs": self.real.fingerprint,
        }
        if path.exists():
            require_same(load_synthetic_graphs(path).provenance["identity"], asked, job.folder)
        else:
            self._made(job, asked).save(path)
        return [path]

    def _made(self, job: Job, identity: dict[str, Any]) -> SyntheticGraphs:
        assert isinstance(job.method, GraphMethod)
        task = GraphTask(real=self.real, method=job.name, provenance=self._provenance(job))
        reset_peak(self.device)
        began = time.monotonic()
        try:
            made = job.method.distill(task, job.ipc, OuterStep(0, derive(job.seed, "distill")))
        except UserError as error:
            raise error.at(self._location_of(job)) from None
        cost = {"seconds": time.monotonic() - began, "peak_bytes": peak_bytes(self.device)}
        return replace(made, provenance={**made.provenance, **cost, "identity": identity})

    def _location_of(self, job: Job) -> str:
        known = job.label in self.recipe.methods
        return self.loaded.where("methods", job.label) if known else f"{job.label}, which stands beside every method"

    def _provenance(self, job: Job) -> dict[str, Any]:
        return {
            "recipe": self._resolved(job),
            "label": job.label,
            "real_fingerprint": self.real.fingerprint,
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(self.device),
        }

    def _resolved(self, job: Job) -> dict[str, Any]:
        whole = resolved(self.loaded, job, self.networks)
        whole["evaluation"] = self._evaluation()
        return {key: value for key, value in whole.items() if key not in OF_IMAGES}

    def _evaluation(self) -> dict[str, Any]:
        asked = self.recipe.evaluation
        return {"protocol": self.protocol.key, "networks": list(self.networks), "seeds": asked.seeds}

    def evaluate(self, job: Job) -> Iterator[tuple[Row, Path]]:
        """Score a job's set on every network of the recipe: the rows and their files; known ones are read."""
        (path,) = self.distill(job)
        syn = load_synthetic_graphs(path)
        syn = replace(syn, provenance={**syn.provenance, "recipe": self._resolved(job), "label": job.label})
        for network in self.networks:
            yield self._known(syn, network, self.seeds(job.seed)) or self._scored(syn, network, self.seeds(job.seed))

    def _scored(self, syn: SyntheticGraphs, network: str, seeds: tuple[int, ...]) -> tuple[Row, Path]:
        scores = self._of_another_ipc(syn, network, seeds) or score_graphs(
            syn,
            self.real,
            protocol=self.protocol,
            network=network,
            seeds=seeds,
            device=self.device,
            progress=self.context.progress(),
        )
        row = make_graph_row(syn, self.real, scores, device=self.device)
        return row, row.save(self.results)

    def _of_another_ipc(self, syn: SyntheticGraphs, network: str, seeds: tuple[int, ...]) -> GraphScores | None:
        """What this very set scored under another ipc, as the whole training split does: not trained again."""
        for ipc in self.recipe.ipc:
            for row in self._known_rows(ipc, syn, network, seeds, versions=graph_versions()):
                return scores_of(row, syn)
        return None

    def _known_rows(
        self, ipc: int, syn: SyntheticGraphs, network: str, seeds: tuple[int, ...], **facts: Any
    ) -> Iterator[Row]:
        """Rows of this very set, asked as it is asked now; of the seeds a protocol may report some."""
        of_set = {"synthetic_sha256": graphs_sha256(syn), "real_fingerprint": self.real.fingerprint}
        asked = {"network": network, "protocol": self.protocol.key, **of_set, **facts}
        for row in known_rows(self.results, self.real.name, ipc, **asked):
            count = row.recipe.get("evaluation", {}).get("seeds")
            if count == self.recipe.evaluation.seeds and {*row.seeds} <= {*seeds}:
                yield row

    def references(self) -> Iterator[tuple[Row, Path]]:
        """What nobody needs a network for, beside every network and ipc: the rows and their files."""
        for name in NO_LEARNING:
            for network in self.networks:
                scores = score_no_learning(name, self.real, protocol=self.protocol.key, network=network)
                for ipc in self.recipe.ipc:
                    asked = {"name": self.loaded.name, "dataset": self.recipe.dataset, "ipc": [ipc]}
                    of_data = {"validation": self.recipe.validation, "seed": self.recipe.seed}
                    recipe = {**asked, **of_data, "evaluation": self._evaluation()}
                    row = make_reference_row(name, ipc, self.real, scores, recipe=recipe, device=self.device)
                    yield row, row.save(self.results)

    def _known(self, syn: SyntheticGraphs, network: str, seeds: tuple[int, ...]) -> tuple[Row, Path] | None:
        """The row that answers this question already, of this very set, if there is one."""
        facts = {"label": syn.provenance["label"], "recipe": without_paths(syn.provenance["recipe"])}
        row = next(self._known_rows(syn.ipc, syn, network, seeds, **facts), None)
        return None if row is None else completed(row, self.results, graph_test_split(self.real))


OF_IMAGES = ("size", "mirror", "preprocessing", "network", "experts")
"""What a recipe may say of images alone."""
