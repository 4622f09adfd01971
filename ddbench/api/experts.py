"""Training experts and teachers, and opening expert buffers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddbench.data.realset import RealSet
from ddbench.evaluate.train_teachers import train_teachers as train_teacher_networks
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.expert_training import train_experts as train_expert_networks
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource
from ddbench.runtime.compile import Choice
from ddbench.runtime.compute import choose_compute
from ddbench.runtime.executors import Executor
from ddbench.runtime.precision import Precision
from ddbench.runtime.progress import Progress
from ddbench.training.teachers import Teachers


def train_experts(
    real: RealSet,
    network: str,
    folder: str | Path,
    *,
    epochs: int,
    seed: int = 0,
    device: str = "auto",
    compile: Choice = "auto",
    precision: Precision = "auto",
    progress: bool | Progress | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> ExpertBuffer:
    """Train experts on real images and record their trajectories, or continue a buffer that is unfinished.

    Args:
        real: Images to train on.
        network: Architecture of every expert, a name of ``ddbench.list_networks()``.
        folder: Folder of the buffer; experts that it holds already are not trained again.
        epochs: Epochs of each trajectory.
        seed: Expert i always has the same initialization and batches.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        compile: Whether training steps are compiled; ``auto`` compiles where the run is long enough to gain.
        precision: Of products and convolutions on a GPU: ``auto`` (what PyTorch does), ``float32`` or ``tf32``.
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.
        executor: Runs experts in parallel (``ddbench.runtime.executors``: Serial, Local, RayExecutor); None trains them
            in this process, one after another.
        **settings: Keys of ``experts`` in a recipe: ``count``, ``batch``, ``lr``, ``augmentation``, ...

    Returns:
        The buffer.

    Raises:
        UserError: A setting is wrong, or the folder holds experts of another configuration.
    """
    recipe = validate(ExpertRecipe, settings, YamlSource("train_experts()", settings), ())
    compute = choose_compute(device, compile=compile, precision=precision, executor=executor, progress=progress)
    return train_expert_networks(
        folder, real.to(compute.device), network, recipe, epochs=epochs, seed=seed, compute=compute
    )


def train_teachers(
    real: RealSet,
    networks: Sequence[str],
    folder: str | Path,
    *,
    protocol: str = "real-v1",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: bool | Progress | None = None,
) -> Teachers:
    """Train teachers on the whole training split, or read those that the folder holds.

    Args:
        real: Images to train on.
        networks: One teacher for each name; ``torchvision:NAME@WEIGHTS`` fetches published weights.
        folder: Folder of one file a teacher; a teacher that it holds is not trained again.
        protocol: Training configuration: ``real-v1`` or ``squeeze-v1``.
        epochs: Epochs of training; None takes the protocol's.
        seed: Seed of initialization, batches and augmentation.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.

    Returns:
        The teachers, in the order of ``networks``.

    Raises:
        UserError: A network is unknown or does not fit the images, a file is damaged, or a training diverges.
    """
    compute = choose_compute(device, compile="off", progress=progress)
    return train_teacher_networks(
        real.to(compute.device), networks, Path(folder), protocol=protocol, epochs=epochs, seed=seed, compute=compute
    )


def open_buffer(folder: str | Path) -> ExpertBuffer:
    """Open an expert buffer.

    Args:
        folder: Folder of the buffer.

    Returns:
        The buffer; ``buffer[expert, epoch]`` is a parameter vector (P,).

    Raises:
        UserError: The folder holds no expert buffer, or a damaged one.
    """
    return ExpertBuffer.open(folder)
