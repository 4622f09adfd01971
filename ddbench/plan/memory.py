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
    """Memory of one stage of a recipe, by estimate."""

    what: str
    """Computation that takes it, for messages."""
    bytes: int
    """Its peak."""
    memory_suggestions: Callable[[int], Sequence[MemorySuggestion]]
    """Changes that make it fit in so many bytes."""


def check_memory(pipeline: Pipeline, *, scored: bool = True) -> None:
    """Check that what is still to be made fits in memory.

    Args:
        pipeline: The recipe.
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
    """Check that the experts that are still to be trained fit in memory.

    Args:
        pipeline: The recipe.

    Raises:
        UserError: As in :func:`check_memory`.
    """
    if missing := [need for need in pipeline.buffers if lacks_experts(need)]:
        facts = dataset_facts(pipeline)
        sizes = sizes_of(pipeline, facts)
        _require(
            pipeline, [expert_need(need.recipe, need.epochs, sizes, facts.images, facts.validation) for need in missing]
        )


def _require(pipeline: Pipeline, needs: Iterable[MemoryRequirement]) -> None:
    available = available_bytes(pipeline.compute.device)
    for need in needs:
        require(
            need.what,
            need.bytes,
            pipeline.compute.device,
            available,
            need.memory_suggestions,
            policy=pipeline.context.memory,
        )


def sizes_of(pipeline: Pipeline, facts: DatasetFacts, network: str | None = None) -> Sizes:
    """Measure a network on the recipe's data.

    Args:
        pipeline: The recipe, with its device, ranks and compilation.
        facts: Counts of its data.
        network: Canonical name; None is the recipe's student.

    Returns:
        Sizes of the network and of the images.

    Raises:
        UserError: The network does not take such images; it names the key of the recipe.
    """
    networks = pipeline.recipe.evaluation.networks
    location = pipeline.loaded.where("network")
    if network not in (None, pipeline.network):
        context = ("evaluation", "networks")
        location = (
            pipeline.loaded.where(*context, networks.index(network))
            if network in networks
            else pipeline.loaded.where(*context)
        )
    try:
        module = build_network(network or pipeline.network, facts.shape, seed=0)
    except UserError as error:
        raise error.at(location) from None
    compute = pipeline.compute
    return Sizes.of(module, facts.shape, device=compute.device.type, ranks=compute.ranks.world, compile=compute.compile)


def distillation_need(job: Job, sizes: Sizes) -> MemoryRequirement | None:
    """Estimate the memory of distilling a job's set.

    Args:
        job: The job.
        sizes: Sizes of its student.

    Returns:
        Bytes and what would reduce them; None where the method makes no estimate.
    """
    needed = job.method.peak_bytes(sizes, job.ipc)
    if needed is None:
        return None
    what = f"the distillation of {job.label} at ipc {job.ipc}"
    return MemoryRequirement(what, needed, lambda available: job.method.memory_suggestions(sizes, job.ipc, available))


def expert_need(recipe: ExpertRecipe, epochs: int, sizes: Sizes, images: int, validation: int = 0) -> MemoryRequirement:
    """Estimate the memory of training one expert: its step, its trajectory as it grows, and the images.

    Args:
        recipe: Optimizer and batch size.
        epochs: Epochs of the expert.
        sizes: Sizes of its network.
        images: Training images.
        validation: Images that it is tested on.

    Returns:
        Bytes, and the batch size that would fit.
    """

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
    """Cost of a step of an expert, in forward and backward passes of the network on its batch.

    GSAM takes two. The gradient penalty of smooth experts is a forward and a backward pass, and a backward pass through
    both; measured on ConvNets, a step is 4.5 passes.

    Args:
        recipe: Optimizer of the expert.

    Returns:
        Passes; 1.0 for plain SGD.
    """
    if is_penalised(recipe):
        return 4.5
    return 2.0 if recipe.optimizer.kind == "gsam" else 1.0


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """Find the largest number that fits, where smaller ones fit as well, by bisection.

    Args:
        most: Largest number that is tried.
        fits: Whether a number fits.

    Returns:
        A number from 1 to ``most``; 1 also where none fits.
    """
    low, high = 1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def evaluation_need(pipeline: Pipeline, network: str, facts: DatasetFacts) -> MemoryRequirement:
    """Estimate the memory of one fresh network in training, and of its test.

    Args:
        pipeline: The recipe; its largest ipc counts.
        network: Canonical name of the network.
        facts: Counts of the recipe's data.

    Returns:
        Bytes, without suggestions.
    """
    sizes = sizes_of(pipeline, facts, network)
    config = training_config_of(pipeline, network, facts, max(job.ipc for job in pipeline.jobs))
    return MemoryRequirement(
        f"the evaluation on {network}", evaluation_bytes(config, sizes, facts.test_images), lambda available: ()
    )


def evaluation_bytes(config: TrainingConfig, sizes: Sizes, test_images: int) -> Estimate:
    """Estimate the peak of one fresh network in training, and in its test.

    Args:
        config: Batch size and optimizer of the training.
        sizes: Sizes of the network.
        test_images: Number of test images, which a CPU holds preprocessed.

    Returns:
        The larger of the two estimates.
    """
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
    """Resolve the training of a network on a set of the recipe.

    Args:
        pipeline: The recipe, with its protocol.
        network: Canonical name of the network.
        facts: Counts of the recipe's data.
        ipc: Images per class of the set.

    Returns:
        Settings of the training by the recipe's protocol.
    """
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
    """Tell whether experts of a buffer are to be trained.

    Args:
        need: The buffer that the recipe wants.

    Returns:
        True where some are missing or too short, and where the description is damaged, which training writes anew.
    """
    try:
        return experts_there(need)[0] < need.recipe.count
    except UserError:
        return True


def experts_there(need: BufferSpec) -> tuple[int, int]:
    """Count the experts of a buffer that lie there.

    Args:
        need: The buffer that the recipe wants.

    Returns:
        How many are long enough, and how many training will make longer; imported ones are never made longer.

    Raises:
        UserError: The description is damaged, or of a newer ddbench.
    """
    if not (need.folder / DESCRIPTION).is_file():
        return 0, 0
    description = read_description(need.folder)
    epochs = scan(need.folder, description).usable
    there = [epochs[expert] for expert in range(need.recipe.count) if expert in epochs]
    long_enough = sum(known >= need.epochs for known in there)
    return long_enough, 0 if description.seed is None else len(there) - long_enough
