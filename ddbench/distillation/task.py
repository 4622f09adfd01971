"""Everything that a method is handed: the task it distills from, its experts, and streams of randomness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.estimates.memory import activation_floats
from ddbench.estimates.model_size import Sizes
from ddbench.networks.flat import FlatNetwork
from ddbench.randomness import stream
from ddbench.runtime.compile import should_compile, student_seconds
from ddbench.runtime.compute import Compute
from ddbench.runtime.distributed import Ranks
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import classification_loss
from ddbench.training.teachers import Teachers
from ddbench.unroll.compiled_step import GradientKernel, Kernel
from ddbench.unroll.sharded_step import SharedKernel


class Trajectories(Protocol):
    """Experts as a method sees them: ``experts[expert, epoch]`` is a flat parameter vector (P,) on the CPU.

    ``len(experts)`` is the number of experts; epoch 0 is where an expert started.
    """

    @property
    def epochs(self) -> int:
        """Epochs that every expert has a record of, beyond epoch 0."""
        ...

    def __len__(self) -> int: ...
    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        """Read the running statistics of batch norm that belong to ``self[expert, epoch]``.

        Args:
            expert: Number of the expert, from 0.
            epoch: Epochs of training, from 0.

        Returns:
            (Q,); None where the network has none.
        """
        ...

    def __getitem__(self, key: tuple[int, int]) -> Tensor: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Data, student, experts and teachers that a method distills from."""

    real: RealSet
    """The real data; its inputs come on ``device``."""
    network: FlatNetwork
    """The student, on ``device``: ``network(theta, images)`` gives logits (B, classes)."""
    network_name: str
    """Name of the student, such as "convnet-d3"."""
    experts: Trajectories | None
    """Trajectories of experts, read from disk as they are used; None where the method needs none."""
    compute: Compute = Compute()
    """How it is distilled: device, compilation, executor of jobs, progress, checkpoints, ranks."""
    teachers: Teachers | None = None
    """Trained networks that ``required_teachers`` names; None where it names none."""
    method: str = ""
    """Name of the method in the registry."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Fingerprints of what must stay the same while a run goes on (data, experts), JSON."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Facts about where data and settings come from, which the sets carry, JSON."""

    @property
    def device(self) -> torch.device:
        """Device on which the method computes."""
        return self.compute.device

    @property
    def ranks(self) -> Ranks:
        """Processes that distill together, each of which has this task."""
        return self.compute.ranks

    def compiled_gradient(self, label_kind: str, *, batch: int, steps: int) -> Kernel | None:
        """Compile the gradient of the student's loss, once per kind of label.

        Args:
            label_kind: Kind of the labels: "hard", "probabilities" or "logits".
            batch: Images per inner step.
            steps: Inner steps of the whole run, over all outer steps; decides whether compiling is worth its seconds.
                The first answer stands, so that a run is all of one kind.

        Returns:
            The gradient of the loss of (theta, images, labels) by theta; None where plain autograd is to be used,
            because the user wants it so or because it is as fast.
        """
        if label_kind not in self._kernels:
            seconds = student_seconds(self._activations * batch, steps, self.device.type)
            kernel: Kernel | None = None
            if should_compile(self.compute.compile, seconds=seconds, device=self.device.type):
                loss = partial(student_loss, self.network, label_kind)
                kernel = GradientKernel(loss, self.device.type, strict=self.compute.compile == "on")
                kernel = kernel if self.ranks.alone else SharedKernel(kernel, self.ranks)
            self._kernels[label_kind] = kernel
        return self._kernels[label_kind]

    def to(self, device: torch.device) -> Task:
        """Move data, student and teachers to another device.

        Args:
            device: Where they go; experts stay on the CPU.

        Returns:
            A task that shares nothing compiled with this one.
        """
        moved = {"real": self.real.to(device), "network": self.network.to(device)}
        compute = replace(self.compute, device=device)
        return replace(self, **moved, teachers=self.teachers and self.teachers.to(device), compute=compute)

    @cached_property
    def _kernels(self) -> dict[str, Kernel | None]:
        return {}

    @cached_property
    def sizes(self) -> Sizes:
        """Sizes of student and data, and how they are computed."""
        return Sizes.of(
            self.network.module,
            self.real.shape,
            device=self.device.type,
            ranks=self.ranks.world,
            compile=self.compute.compile,
        )

    @cached_property
    def _activations(self) -> int:
        """How many numbers the student's layers put out for one image."""
        return activation_floats(self.network.module, self.real.shape)

    def synthetic(
        self, images: Tensor, labels: Tensor, *, ipc: int, notes: Sequence[str] = (), **more: Any
    ) -> SyntheticSet:
        """Make a synthetic set of this task: the facts about data, network and origin are filled in.

        Args:
            images: (S, C, H, W), float32 in the space of the task's preprocessing.
            labels: (S,) int64, or (S, classes) soft ones, with ``label_kind`` among ``more``.
            ipc: Images per class.
            notes: Sentences that a reader of its results must know; rows repeat them.
            more: Other attributes of the set, such as ``student_lr``.

        Returns:
            The set.

        Raises:
            ValueError: Shapes disagree.
        """
        return SyntheticSet(
            images=images,
            labels=labels,
            ipc=ipc,
            method=self.method,
            provenance={**self.provenance, "notes": [*self.provenance.get("notes", ()), *notes]},
            dataset=self.real.name,
            class_names=self.real.class_names,
            network=self.network_name,
            preprocessing=self.real.preprocessing.describe(),
            **more,
        )


def student_loss(
    network: FlatNetwork, label_kind: str, theta: Tensor, images: Tensor, labels: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Compute the student's loss on a batch, or on a rank's part of it.

    Args:
        network: The student.
        label_kind: Kind of the labels: "hard", "probabilities" or "logits".
        theta: Parameters, (P,).
        images: (B, C, H, W).
        labels: (B,) int64, or (B, classes).
        weight: Weight of the part, a scalar tensor; None for a whole batch.

    Returns:
        The mean cross-entropy, a scalar, times the weight.
    """
    loss = classification_loss(network(theta, images), labels, label_kind)
    return loss if weight is None else weight * loss


@dataclass(frozen=True)
class OuterStep:
    """One step of the outer loop: its number, from 0, and its own named streams of randomness.

    Draws depend on the run's seed, the step and the stream's name alone, so a resumed run needs no generator's state,
    and they are made on the CPU, so that CPU and CUDA see the same ones.
    """

    number: int
    """Number of the step, from 0."""
    seed: int
    """Seed of the run."""
    carried: Mapping[str, Tensor] = field(default_factory=dict, compare=False, repr=False)
    """Tensors that the step before hands on, by name: see ``OptimizedMethod.carry``."""

    def stream(self, *name: str | int) -> torch.Generator:
        """Open one of the step's streams of randomness.

        Args:
            name: Name of the draws, such as "batches", or ("real", 3); two draws under one name are the same.

        Returns:
            A generator on the CPU, at the beginning of the stream.
        """
        return stream(self.seed, "outer", self.number, *name)
