"""Training experts on real data and writing their trajectories, expert by expert, so that a run resumes by looking."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory_check import stack_size
from ddbench.estimates.model_size import Sizes
from ddbench.estimates.training_time import training_seconds
from ddbench.expert_buffers.buffer import Contents, ExpertBuffer, expert_path, read_description, scan, write_description
from ddbench.expert_buffers.curriculum import difficulty
from ddbench.expert_buffers.expert_job import ExpertJob
from ddbench.expert_buffers.memory_estimate import expert_bytes, step_bytes
from ddbench.expert_buffers.metadata import BufferDescription, describe_buffer
from ddbench.files.folder_lock import locked
from ddbench.networks import build_network
from ddbench.networks.students import refuse_non_students
from ddbench.randomness import derive
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.compile import should_compile
from ddbench.runtime.compute import Compute
from ddbench.runtime.executors.job_progress import SharedProgress
from ddbench.runtime.provenance import device_name

_PROCESS = 500 * 2**20
"""Bytes of a process that has loaded torch."""


def buffer_bytes(parameters: int, epochs: int, count: int, dtype: str = "float32", momentum: float = 0.0) -> int:
    """Compute the bytes of experts on disk.

    An expert has a row an epoch, one of the initialization, and what training goes on from: the velocity where there is
    momentum, and the live parameters beside rows that are rounded, both float32. Headers, not counted, are below 1 %.

    Args:
        parameters: P of the network.
        epochs: Epochs of each expert.
        count: Number of experts.
        dtype: Dtype of the rows, as torch names it.
        momentum: Momentum of the experts' SGD; 0 is none.

    Returns:
        Bytes of all experts.
    """
    rows = parameters * (epochs + 1) * getattr(torch, dtype).itemsize
    end = parameters * torch.float32.itemsize * ((momentum > 0) + (dtype != "float32"))
    return count * (rows + end)


def training_cost(
    real: RealSet, network_name: str, recipe: ExpertRecipe, epochs: int, device: torch.device
) -> tuple[float, Estimate]:
    """Estimate the cost of training one expert.

    Args:
        real: Real data.
        network_name: The experts' network.
        recipe: Optimizer and batch size.
        epochs: Epochs of the expert.
        device: Device that trains.

    Returns:
        Seconds on one processor thread or a GPU, and bytes of a process with a copy of the images of its own.
    """
    sizes = Sizes.of(build_network(network_name, real.shape, seed=0), real.shape, device=device.type)
    images = len(real.train), len(real.validation)
    trained = expert_bytes(recipe, epochs, sizes, *images, batch=min(recipe.batch, images[0]))
    stored = real.train.images.nbytes + real.validation.images.nbytes
    seconds = training_seconds(sizes.activations, epochs * images[0], recipe.batch, device)
    return seconds, trained.plus({"process": _PROCESS, "stored images": stored})


def train_experts(
    folder: str | Path,
    real: RealSet,
    network_name: str,
    recipe: ExpertRecipe,
    *,
    epochs: int,
    seed: int,
    compute: Compute = Compute(),
) -> ExpertBuffer:
    """Train the experts of a recipe that a folder lacks.

    Expert e depends on ``seed``, e and the recipe alone, so a longer training has the same beginning: an expert that is
    shorter than ``epochs`` goes on from where it ended, and a longer one serves as it is. One that is damaged, or was
    written without what it could go on from, is trained again whole. A process killed at any moment loses at most
    ``compute.checkpoint_seconds`` (or ten times as long as a checkpoint takes to write) and the epoch it was in; the
    same call continues. Stopped or not, extended or not, on the CPU the bits are the same, of however many cores, for
    each is trained by one thread. With a curriculum, networks that score the images are trained first, in the folder
    ``difficulty`` below.

    Args:
        folder: Folder of the buffer; it is made where it is missing.
        real: Real data; experts are trained on its training images.
        network_name: The experts' network.
        recipe: Number of experts, optimizer and batches.
        epochs: Epochs that each expert has at least.
        seed: Seed of all of them.
        compute: How they are trained: on ranks of torchrun each trains every world-th expert, and all have them in the
            end; an executor shares them out, one at a time unless ``together`` says more.

    Returns:
        The buffer with ``recipe.count`` experts.

    Raises:
        UserError: The folder holds other experts, the network can not be a student, an expert diverges, the disk is
            full, or as the executor says.
    """
    folder, ranks = Path(folder), compute.ranks
    if epochs < 1:
        raise UserError(f"experts need at least 1 epoch, not {epochs}", fix="set experts.epochs to 1 or more")
    refuse_non_students(build_network(network_name, real.shape, seed=seed))
    order, curriculum = None, recipe.curriculum
    if curriculum and ranks.decided(ranks.writes and not _complete(folder, real, network_name, recipe, epochs, seed)):
        scoring = ExpertRecipe(
            count=curriculum.networks, lr=recipe.lr, batch=recipe.batch, augmentation=recipe.augmentation
        )
        own, first = derive(seed, "difficulty"), folder / "difficulty"
        scored = train_experts(first, real, network_name, scoring, epochs=curriculum.epochs, seed=own, compute=compute)
        order = difficulty(scored, real, curriculum, compute.device).argsort(stable=True)
    with locked(folder) if ranks.writes else nullcontext():  # another process may train the same: its experts serve
        ranks.wait()
        _train_missing(folder, real, network_name, recipe, epochs, seed, compute, order)
        ranks.wait()
    return ExpertBuffer.open(folder, range(recipe.count))


def _complete(folder: Path, real: RealSet, network_name: str, recipe: ExpertRecipe, epochs: int, seed: int) -> bool:
    """Whether all experts of a recipe lie in a folder."""
    usable = scan(folder, describe_buffer(real, network_name, recipe, seed)).usable if folder.is_dir() else {}
    return all(usable.get(expert, 0) >= epochs for expert in range(recipe.count))


def _train_missing(
    folder: Path,
    real: RealSet,
    network_name: str,
    recipe: ExpertRecipe,
    epochs: int,
    seed: int,
    compute: Compute,
    order: Tensor | None,
) -> None:
    """This rank's share of the experts that are not there, or are too short."""
    description = describe_buffer(real, network_name, recipe, seed)
    by, in_job = compute.executor, compute.in_job()
    on = in_job.device
    contents = _adopt(folder, replace(description, trained_on=_trained_on(in_job)))
    own = range(compute.ranks.rank, recipe.count, compute.ranks.world)
    missing = [expert for expert in own if contents.usable.get(expert, 0) < epochs]
    if missing:
        sizes = Sizes.of(build_network(network_name, real.shape, seed=seed), real.shape)
        each = training_seconds(sizes.activations, epochs * len(real.train), recipe.batch, compute.device)
        job = ExpertJob(
            folder=folder.absolute(),
            real=real,
            network=network_name,
            recipe=recipe,
            seed=seed,
            epochs=epochs,
            description=description,
            compute=in_job,
            order=order,
            compiled=should_compile(compute.compile, seconds=recipe.count * each, device=on.type),
        )
        in_stack = step_bytes(recipe, sizes, recipe.batch, stacked=True)
        together = compute.together
        at_once = together if by.at_once > 1 or by.elsewhere else stack_size(together, len(missing), on, in_stack)
        groups = [missing[first : first + (at_once or 1)] for first in range(0, len(missing), at_once or 1)]
        sizes = [epochs * len(group) for group in groups]
        meter = SharedProgress(compute.progress, len(groups), _title(folder, contents, missing), sizes)
        try:
            for position, _ in by.map(job, groups, meter.on_progress):
                meter.finished(position)
        finally:
            meter.close()


def _adopt(folder: Path, description: BufferDescription) -> Contents:
    """Make the folder this buffer's, or see that it is. A lost or damaged description is written anew."""
    try:
        there = read_description(folder)
    except artifact.WrittenByNewerError:
        raise
    except UserError:
        there = None
    if there is not None:
        there.require_same(description, str(folder))
    contents = scan(folder, description)
    if contents.foreign:
        raise UserError(
            "the folder holds experts of another buffer, which would be written over",
            f"in    {folder}",
            f"files {', '.join(expert_path(folder, expert).name for expert in sorted(contents.foreign))}",
            fix="delete them, or choose another folder",
        )
    if there is None:
        write_description(folder, description)
    return contents


def _trained_on(compute: Compute) -> dict[str, str] | None:
    """The device and the precision that bits of experts depend on; None for a CPU, where they depend on neither."""
    if compute.device.type == "cpu":
        return None
    here = torch.cuda.is_available()  # else other machines train, which may differ
    return {"device": device_name(compute.device) if here else "a GPU of a cluster", "precision": compute.precision}


def _title(folder: Path, contents: Contents, missing: list[int]) -> str:
    """The title of the progress bar, which also says what is trained a second time and why."""
    again = [f"{expert_path(folder, e).name} again: {contents.damaged[e]}" for e in missing if e in contents.damaged]
    return "; ".join(["experts", *again])
