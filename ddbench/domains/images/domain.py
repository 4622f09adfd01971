"""The domain of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ddbench.data import RealSet, load_dataset
from ddbench.data.memory_limits import refuse_huge_size
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.method import DirectMethod, Method, OptimizedMethod
from ddbench.domains.images.baselines import soft_baselines
from ddbench.domains.images.checks import (
    refuse_protocol_without_teachers,
    refuse_selection_without_images,
    require_methods_fit,
    require_networks_fit,
)
from ddbench.domains.images.distill import distill_images
from ddbench.domains.images.evaluator import ImageEvaluator
from ddbench.domains.images.side_by_side import distill_side_by_side
from ddbench.domains.images.stages import Distill, SelectCandidate, TeacherNetworks, TrainExperts
from ddbench.domains.images.teachers import teachers_of
from ddbench.evaluate.leaderboard.make_row import described_sha256
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.protocols.builtin import PROTOCOLS, Protocol
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.network_pools import NetworkRequest, expanded
from ddbench.evaluate.score import Scores, score
from ddbench.evaluate.training.worker_count import should_parallelize
from ddbench.evaluate.verify import Verification, verify
from ddbench.networks import canonical_network_name, network_table
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.domain import Domain
from ddbench.pipeline.expand_recipe import JobSpec
from ddbench.pipeline.jobs import Job, resolved
from ddbench.pipeline.pipeline import Pipeline
from ddbench.pipeline.real_set import real_set_of, with_validation
from ddbench.pipeline.set_evaluation import SetEvaluation, SetOptions, evaluation_seeds
from ddbench.pipeline.stages import Evaluate, Stages
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.compute import Compute
from ddbench.synthetic.recorded import RecordedRecipe, recorded_recipe
from ddbench.synthetic.synthetic_set import KIND, SyntheticSet, load_synthetic
from ddbench.training.teachers import load_teachers


class ImageDomain(Domain):
    """Images, whose methods may match experts, and of whose candidates one is selected."""

    name = "images"
    set_kind = KIND
    set_type = SyntheticSet
    method_kinds = (OptimizedMethod, DirectMethod, JobMethod)
    parallel = True

    def network(self, name: str, where: str = "") -> str:
        return canonical_network_name(name, where)

    def protocol(self, name: str | None, where: str = "") -> Protocol:
        return protocol_named(name or "mtt-v1", where)

    def network_rows(self) -> list[dict[str, Any]]:
        return network_table()

    def protocol_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "protocol": protocol.key,
                "what": protocol.title,
                "epochs": protocol.setting.epochs,
                "labels": "teachers'"
                if protocol.targets == "teacher"
                else "soft"
                if protocol.loss == "kl"
                else "the set's",
                "fingerprint": protocol.fingerprint,
                "source": protocol.source,
            }
            for protocol in PROTOCOLS.values()
        ]

    def load(self, name: str, *, context: RunContext, **options: Any) -> RealSet:
        folders = {"home": context.home, "data_root": context.data_root}
        return load_dataset(name, **{"preprocessing": "meanstd", **options}, **folders, quiet=context.quiet)

    def load_set(self, file: Path) -> SyntheticSet:
        return load_synthetic(file)

    def real_of_recipe(self, loaded: LoadedRecipe, context: RunContext, **view: Any) -> RealSet:
        recipe = loaded.recipe
        own = {"preprocessing": recipe.preprocessing, "size": recipe.size, "mirror": recipe.mirror}
        return super().real_of_recipe(loaded, context, **{**own, **view})

    def real_of_set(
        self, short: str, recipe: RecordedRecipe, syn: Any, context: RunContext, given: str | None, where: Path | str
    ) -> RealSet:
        space = syn.preprocessing
        real = real_set_of(short, recipe, space["kind"], context, given, space, where=where)
        return real.to(context.compute.device)

    def file_sha256(self, document: Mapping[str, Any]) -> str | None:
        return described_sha256(document)

    def check_recipe(self, loaded: LoadedRecipe) -> None:
        refuse_huge_size(loaded.recipe.dataset, loaded.recipe.size, loaded.where("size"))

    def check_jobs(self, pipeline: Pipeline) -> None:
        refuse_selection_without_images(pipeline.loaded, pipeline.protocol, pipeline.jobs)
        refuse_protocol_without_teachers(pipeline.loaded, pipeline.protocol, pipeline.jobs)

    def prepare(self, pipeline: Pipeline, real: RealSet) -> RealSet:
        require_networks_fit(pipeline.loaded, real, pipeline.network, pipeline.jobs)
        require_methods_fit(pipeline.loaded, real, pipeline.jobs)
        return real.to(pipeline.compute.device)

    def requests(self, loaded: LoadedRecipe, network: str, protocol: Protocol) -> list[NetworkRequest]:
        named = loaded.recipe.evaluation.networks
        places = [loaded.where("evaluation", "networks", number) for number in range(len(named))]
        return expanded(named or [protocol.network or network], network, places)

    def student(self, network: str) -> str:
        return network

    def baselines(self, loaded: LoadedRecipe, specs: Sequence[JobSpec]) -> Iterable[JobSpec]:
        return soft_baselines(loaded, specs)

    def resolved(self, pipeline: Pipeline, job: Job) -> dict[str, Any]:
        return resolved(pipeline.loaded, job, pipeline.networks)

    def stages(self, pipeline: Pipeline) -> Stages:
        teachers, experts = TeacherNetworks(pipeline), TrainExperts(pipeline)
        distill = Distill(pipeline, experts, teachers)
        select = SelectCandidate(pipeline, distill, teachers)
        return Stages(experts, distill, select, Evaluate(pipeline, select, select.evaluator))

    def distill_ahead(self, pipeline: Pipeline) -> None:
        distill_side_by_side(pipeline, cast("Distill", pipeline.stages.distill))

    def evaluator(self, **common: Any) -> ImageEvaluator:
        return ImageEvaluator(**common)

    def score(
        self,
        syn: SyntheticSet,
        real: RealSet,
        *,
        protocol: str | None,
        network: str | None,
        seeds: Sequence[int],
        compute: Compute,
        **options: Any,
    ) -> Scores:
        del options["executor"]  # the computation has it
        asked = {"network": network, "seeds": seeds, "compute": compute, **options}
        return score(syn, real.to(compute.device), protocol=protocol or "mtt-v1", **asked)

    def set_evaluation(
        self, syn: SyntheticSet, recipe: RecordedRecipe, options: SetOptions, context: RunContext, file: Path
    ) -> SetEvaluation:
        compute, evaluation = context.compute, recipe.evaluation
        if options.validation is not None:
            syn = with_validation(syn, options.validation)
            recipe = recorded_recipe(syn.provenance["recipe"], file, KIND)
        source = f"the recipe in {file}"
        by = protocol_named(options.protocol or evaluation.protocol, "" if options.protocol else source)
        named = options.networks or evaluation.networks or [by.network or syn.network]
        requests = expanded(named, syn.network, () if options.networks else [source] * len(named))
        real = self.real_of_set(syn.dataset, recipe, syn, context, options.dataset, file)
        seeds = evaluation_seeds(options, recipe)
        worth = should_parallelize(syn, by, [request.network for request in requests], len(seeds))
        evaluator = ImageEvaluator(
            real=real,
            protocol=by,
            compute=context.shared_out(compute, worth=worth),
            results=context.results,
            seeds=seeds,
            seed=recipe.seed if options.seed is None else options.seed,
            lr_policy=options.lr or evaluation.lr,
            rates=evaluation.rates or RATES,
            steps=evaluation.steps,
            search_seeds=evaluation.selection_seeds,
            teachers=options.teachers and load_teachers(options.teachers),
        )
        chosen_on_own = "learning rates may be chosen on images that the set was made from"
        note = "" if options.validation is None else chosen_on_own
        return SetEvaluation(syn, evaluator, requests, syn.provenance.get("selection", "given"), note)

    def verify(self, row: Row, syn: Any, real: Any, *, context: RunContext, teachers: Path | None) -> Verification:
        worth = should_parallelize(syn, protocol_named(row.protocol), [row.network], len(row.seeds))
        return verify(
            row,
            syn,
            real,
            compute=context.shared_out(context.compute, worth=worth),
            teachers=teachers_of(row, teachers, context.home),
        )

    def draw(self, syn: SyntheticSet, target: Path, home: Path) -> None:
        from ddbench.data.whitening_cache import load_preprocessing
        from ddbench.figures.image_grid import draw

        draw(syn, load_preprocessing(syn.preprocessing, home), target)

    def thumbnail(self, syn: SyntheticSet, home: Path, limit: int) -> bytes:
        from ddbench.data.whitening_cache import load_preprocessing
        from ddbench.figures.thumbnails import thumbnail

        return thumbnail(syn, load_preprocessing(syn.preprocessing, home), limit)

    def describe(self, syn: SyntheticSet) -> dict[str, Any]:
        return {"images": list(syn.images.shape), "labels": list(syn.labels.shape), "bytes": syn.bytes}

    def distill(
        self, method: Method, name: str, real: RealSet, ipc: int | None, *, seed: int, compute: Compute, **options: Any
    ) -> SyntheticSet:
        return distill_images(method, name, real, ipc, seed=seed, compute=compute, **options)

    def plan(self, pipeline: Pipeline, *, timed: bool = False) -> dict[str, Any]:
        from ddbench.plan.plan import plan_facts

        return plan_facts(pipeline, timed=timed)

    def check_memory(self, pipeline: Pipeline, *, experts_alone: bool = False, scored: bool = True) -> None:
        from ddbench.plan.memory import check_memory, check_memory_for_experts

        if experts_alone:
            check_memory_for_experts(pipeline)
        else:
            check_memory(pipeline, scored=scored)
