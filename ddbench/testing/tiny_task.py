"""Tiny tasks in memory on which a method is distilled within milliseconds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.distillation.task import OuterStep, Task
from ddbench.graphs.load import load_graphs
from ddbench.graphs.method import GraphTask
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream
from ddbench.runtime.compute import Compute
from ddbench.training.teachers import Teachers

NETWORK = "convnet-d1-w4"
"""Student of the tiny task."""


class RandomWalkExperts:
    """Expert trajectories that walk at random."""

    def __init__(
        self, size: int, experts: int = 2, epochs: int = 12, seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> None:
        """Draw the trajectories.

        Args:
            size: Parameters P of a network.
            experts: Number of trajectories.
            epochs: Steps of each.
            seed: Seed of the draw.
            dtype: Of the parameters.
        """
        steps = torch.randn(experts, epochs + 1, size, generator=stream(seed, "experts")) * 0.05
        self.rows = steps.cumsum(1).to(dtype)
        self.epochs = epochs

    def __len__(self) -> int:
        return len(self.rows)

    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        """Tell that the student has no batch norm.

        Args:
            expert: Number of the expert.
            epoch: Epoch of its training.

        Returns:
            None.
        """
        del expert, epoch
        return None

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return self.rows[key]


def tiny_real(seed: int = 0, images: int = 30, validation: int = 9, classes: int = 3, **changes: Any) -> RealSet:
    """Draw a set of real images: uint8 noise of 1 x 8 x 8, labels drawn as well.

    Args:
        seed: Seed of the draw.
        images: Training images.
        validation: Validation images.
        classes: Classes, at most 8.
        **changes: Other fields of the ``RealSet``.

    Returns:
        The set, with 6 test images.
    """
    generator = stream(seed, "tiny")

    def split(count: int) -> Split:
        pixels = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=generator)
        return Split(pixels, torch.randint(0, classes, (count,), generator=generator))

    fields: dict[str, Any] = {
        "name": "tiny",
        "class_names": tuple("abcdefgh"[:classes]),
        "train": split(images),
        "validation": split(validation),
        "test": split(6),
        "preprocessing": Preprocessing.meanstd([0.5], [0.25]),
        "fingerprint": f"tiny-{seed}-{images}",
        "mirror": False,
    }
    return RealSet(**{**fields, **changes})


def tiny_task(
    *,
    device: str = "cpu",
    experts: bool = True,
    compile: Any = "off",
    dtype: torch.dtype = torch.float32,
    epochs: int = 12,
    teachers: bool = False,
    **changes: Any,
) -> Task:
    """Make a task of 3 classes and 60 training images, with two drawn experts.

    Args:
        device: Of student and inputs.
        experts: Whether there are experts.
        compile: Whether the student's steps are compiled.
        dtype: Of student and experts.
        epochs: Epochs of each expert.
        teachers: Whether there is a drawn teacher with batch norm.
        **changes: Arguments of :func:`tiny_real`.

    Returns:
        The task.
    """
    real = tiny_real(**{"images": 60, **changes}).to(device)
    module = build_network(NETWORK, real.shape, seed=0)
    network = FlatNetwork(module).to(device, dtype)
    return Task(
        real=real,
        network=network,
        network_name=NETWORK,
        experts=RandomWalkExperts(network.size, epochs=epochs, dtype=dtype) if experts else None,
        compute=Compute(device=torch.device(device), compile=compile),
        teachers=drawn_teachers(real).to(device) if teachers else None,
    )


def drawn_teachers(real: RealSet, networks: tuple[str, ...] = (f"{NETWORK}-bn",), seed: int = 0) -> Teachers:
    """Draw teachers, one a network, whose batch norm has running statistics that are drawn too.

    Args:
        real: The images that they say to know.
        networks: Names of networks.
        seed: Seed of the draw.

    Returns:
        Teachers that fit these images; their accuracy is made up.
    """
    states = [drawn_network(name, real.shape, seed + number).state_dict() for number, name in enumerate(networks)]
    return Teachers(
        networks=networks,
        states=tuple(states),
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=tuple(0.5 + 0.1 * number for number in range(len(networks))),
        **real.shape._asdict(),
    )


def drawn_network(name: str, shape: ImageShape, seed: int = 0) -> nn.Module:
    """Draw a network in eval mode, with the running statistics of its batch norm.

    Args:
        name: Name of the network.
        shape: Images and classes.
        seed: Seed of the draw.

    Returns:
        The network, its parameters frozen.
    """
    network = build_network(name, shape, seed=seed)
    generator = stream(seed, "statistics")
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.copy_(0.3 * torch.randn(layer.num_features, generator=generator))
            layer.running_var.copy_(0.5 + torch.rand(layer.num_features, generator=generator))
    return network.eval().requires_grad_(False)


def tiny_graph_task() -> GraphTask:
    """Make a task of the ``motifs`` graphs, which are generated.

    Returns:
        The task, its method named ``tested``.
    """
    with tempfile.TemporaryDirectory() as home:
        return GraphTask(real=load_graphs("motifs", home=Path(home)), method="tested")


def outer_step(step: int = 0, seed: int = 0) -> OuterStep:
    """Make an outer step.

    Args:
        step: Its number, from 0.
        seed: Seed of the run.

    Returns:
        The step with its streams of randomness.
    """
    return OuterStep(step, seed)
