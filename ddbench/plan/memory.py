"""Memory that a recipe's stages take by estimate, compared with what is free before the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.data.loader import loader_bytes
from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import inference_bytes, training_bytes
from ddbench.estimates.memory_check import available_bytes, require
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.evaluate.protocols.protocol import EvaluationContext, TrainingConfig
from ddbench.evaluate.training.networks import has_batch_norm
from ddbench.evaluate.training.train_and_test import TEST_BATCH
from ddbench.expert_buffers.buffer import DESCRIPTION, read_description, scan
from ddbench.expert_buffers.memory_estimate import expert_bytes, is_penalised
from ddbench.networks import build_network
from ddbench.pipeline.dataset_sizes import DatasetFacts, dataset_facts
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.experts import ExpertRecipe


@dataclass(frozen=True)
class MemoryRequirement:
    """what: takes so many bytes, by estimate. knobs: what makes it fit in the bytes they are given."""

    what: str
    bytes: int
    memory_suggestions: Callable[[int], Sequence[MemorySuggestion]]


def check_memory(pipeline: Pipeline, *, scored: bool = True) -> None:
    """See that what is still to be made fits in memory.

    Args:
        scored: Whether it is evaluated as well.

    Raises:
        UserError: Before anything is trained, with what to change; under ``--memory warn`` a warning.
    """
    left = [job for job in pipeline.jobs if not pipeline.stages.distill.done(job)]
    if not left:
        return
    facts, wanted = dataset_facts(pipeline), {job.buffer.folder for job in left if job.buffer is not None}
    sizes = sizes_of(pipeline, facts)
    training = [need for need in pipeline.buffers if need.folder in wanted and lacks_experts(need)]
    needs = [expert_need(need.recipe, need.epochs, sizes, facts.images, facts.validation) for need in training]
    needs += [need for job in left if (need := distillation_need(job, sizes)) is not None]
    _require(pipeline, [*needs, *(evaluation_need(pipeline, n, facts) for n in pipeline.networks if scored)])


def check_memory_for_experts(pipeline: Pipeline) -> None:
    """See that the experts that are still to be trained fit in memory. Errors: as in :func:`require_room`."""
    if missing := [need for need in pipeline.buffers if lacks_experts(need)]:
        facts = dataset_facts(pipeline)
        sizes = sizes_of(pipeline, facts)
        _require(
            pipeline, [expert_need(need.recipe, need.epochs, sizes, facts.images, facts.validation) for need in missing]
        )


def _require(pipeline: Pipeline, needs: Iterable[MemoryRequirement]) -> None:
    available = available_bytes(pipeline.device)
    for need in needs:
        require(
            need.what, need.bytes, pipeline.device, available, need.memory_suggestions, policy=pipeline.context.memory
        )


def sizes_of(pipeline: Pipeline, facts: DatasetFacts, network: str | None = None) -> Sizes:
    """Of the recipe's student, or of another network, on its data."""
    asked = pipeline.recipe.evaluation.networks
    where = pipeline.loaded.where("network")
    if network not in (None, pipeline.network):
        context = ("evaluation", "networks")
        where = (
            pipeline.loaded.where(*context, asked.index(network))
            if network in asked
            else pipeline.loaded.where(*context)
        )
    try:
        module = build_network(network or pipeline.network, facts.shape, seed=0)
    except UserError as error:
        raise error.at(where) from None
    ranks, compile = pipeline.ranks.world, pipeline.context.compile
    return Sizes.of(module, facts.shape, device=pipeline.device.type, ranks=ranks, compile=compile)


def distillation_need(job: Job, sizes: Sizes) -> MemoryRequirement | None:
    """Of a job's set; None where its method makes no estimate."""
    needed = job.method.peak_bytes(sizes, job.ipc)
    if needed is None:
        return None
    what = f"the distillation of {job.label} at ipc {job.ipc}"
    return MemoryRequirement(what, needed, lambda available: job.method.memory_suggestions(sizes, job.ipc, available))


def expert_need(recipe: ExpertRecipe, epochs: int, sizes: Sizes, images: int, validation: int = 0) -> MemoryRequirement:
    """Of training one expert: its step, its trajectory as it grows, and the images, those for validation as well."""

    def needed(batch: int) -> Estimate:
        return expert_bytes(recipe, epochs, sizes, images, validation, batch=batch)

    def memory_suggestions(available: int) -> list[MemorySuggestion]:
        batch = largest(recipe.batch, lambda batch: needed(batch) <= available)
        return (
            [MemorySuggestion(f"-o experts.batch={batch}", needed(batch), "other experts")]
            if batch < recipe.batch
            else []
        )

    batch = min(recipe.batch, images)
    return MemoryRequirement(
        f"the training of experts by {recipe.optimizer.kind} in batches of {batch}", needed(batch), memory_suggestions
    )


def passes(recipe: ExpertRecipe) -> float:
    """What a step of an expert costs, in forward and backward passes of the network on its batch.

    GSAM takes two. The gradient penalty of smooth experts is a forward and a backward pass, and a backward pass through
    both; measured on ConvNets, a step is 4.5 passes.
    """
    if is_penalised(recipe):
        return 4.5
    return 2.0 if recipe.optimizer.kind == "gsam" else 1.0


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number from 1 to ``most`` that fits, where smaller ones fit as well; 1 where none does."""
    low, high = 1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def evaluation_need(pipeline: Pipeline, network: str, facts: DatasetFacts) -> MemoryRequirement:
    """Of one fresh network in training, and of its test."""
    sizes = sizes_of(pipeline, facts, network)
    config = training_config_of(pipeline, network, facts, max(job.ipc for job in pipeline.jobs))
    return MemoryRequirement(
        f"the evaluation on {network}", evaluation_bytes(config, sizes, facts.test_images), lambda available: ()
    )


def evaluation_bytes(config: TrainingConfig, sizes: Sizes, test_images: int) -> Estimate:
    """Estimated peak of one fresh network in training, and in its test, with the test images that lie there."""
    measures: dict[str, Any] = {
        "parameters": sizes.parameters,
        "activations": sizes.activations,
        "pixels": sizes.pixels,
    }
    trained = training_bytes(**measures, batch=config.batch, vectors=config.vectors)
    tested = inference_bytes(**measures, batch=min(TEST_BATCH, test_images))
    lying = loader_bytes(test_images, sizes.pixels) if sizes.device == "cpu" else 0
    return max(trained, tested.plus({"test images": lying}))


def training_config_of(pipeline: Pipeline, network: str, facts: DatasetFacts, ipc: int) -> TrainingConfig:
    """How a network is trained on a set of the recipe."""
    module = build_network(network, facts.shape, seed=0)
    about = EvaluationContext(
        dataset=pipeline.recipe.dataset,
        network=network,
        batch_norm=has_batch_norm(module),
        ipc=ipc,
        classes=facts.shape.classes,
        size=facts.shape.size,
    )
    return pipeline.protocol.resolve(about)


def lacks_experts(need: BufferSpec) -> bool:
    """Whether some are to be trained. A damaged description, which training writes anew, counts for none."""
    try:
        return experts_there(need)[0] < need.recipe.count
    except UserError:
        return True


def experts_there(need: BufferSpec) -> tuple[int, int]:
    """How many experts lie there that are long enough, and how many that training will make longer."""
    if not (need.folder / DESCRIPTION).is_file():
        return 0, 0
    description = read_description(need.folder)
    epochs = scan(need.folder, description).usable
    there = [epochs[expert] for expert in range(need.recipe.count) if expert in epochs]
    long_enough = sum(known >= need.epochs for known in there)
    return long_enough, 0 if description.seed is None else len(there) - long_enough
