"""What the benchmarks of cost run: an outer step, experts, an evaluation, each on drawn data and of a given size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from measure import generated_real
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.estimates.memory import activation_floats
from ddbench.evaluate.protocols.builtin import Protocol, ProtocolOverrides, protocol
from ddbench.evaluate.score import score
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.methods.parts.matching import trajectory_matching_loss
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import classification_loss
from ddbench.unroll.compiled_step import FastStep, GradientKernel
from ddbench.unroll.sgd_step import BatchLoss, SGDStep
from ddbench.unroll.unroll import AdjointUnroll, Outer, Unroll


@dataclass(frozen=True, kw_only=True)
class Work:
    """How large a piece of work is; each kind of work looks at what concerns it.

    batch_syn: synthetic images that a student sees at a step; 0 is all. experts, images, batch, epochs: of the training
    of experts on so many real images. networks, exam_batch, exam_epochs: of an evaluation.
    """

    network: str = "convnet-d3"
    channels: int = 3
    size: int = 32
    classes: int = 10
    ipc: int = 1
    batch_syn: int = 0
    inner_steps: int = 10
    experts: int = 1
    images: int = 128
    batch: int = 64
    epochs: int = 1
    networks: int = 1
    exam_batch: int = 10
    exam_epochs: int = 4
    seed: int = 0

    @property
    def shape(self) -> ImageShape:
        return ImageShape(self.channels, self.size, self.classes)


class DrawnStep:
    """An outer step on drawn images, from drawn parameters towards a drawn target: loss and gradient by the images and
    the student's learning rate. compile: whether the student's gradient is compiled; the full unroll's is not."""

    def __init__(self, work: Work, device: torch.device, *, augmented: str = "none", compile: bool = False) -> None:
        generator = stream(work.seed, "benchmark step")
        module = build_network(work.network, work.shape, seed=work.seed)
        self.activations = activation_floats(module, work.shape)
        network = FlatNetwork(module).to(device)
        every = work.classes * work.ipc
        images = torch.randn(every, work.channels, work.size, work.size, generator=generator)
        self.outer = (images.to(device).requires_grad_(), torch.tensor(0.01, device=device, requires_grad=True))
        self.labels = torch.arange(work.classes, device=device).repeat_interleave(work.ipc)
        self.begin = network.flatten()
        self.target = self.begin + 0.01 * torch.randn(self.begin.shape, generator=generator).to(device)
        self.batch = min(work.batch_syn or every, every)
        policy = augmentation(augmented)
        orders = [torch.randperm(every, generator=generator)[: self.batch] for _ in range(work.inner_steps)]
        rows = [order.to(device) for order in orders] if self.batch < every else []
        draws = []
        if policy is not None:
            draws = [policy.draw(self.batch, work.size, generator).to(device) for _ in range(work.inner_steps)]

        def seen(outer: Outer, t: int) -> tuple[Tensor, Tensor]:
            images, labels = (outer[0][rows[t]], self.labels[rows[t]]) if rows else (outer[0], self.labels)
            return images if policy is None else policy.apply(images, draws[t]), labels

        def of(theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
            return classification_loss(network(theta, images), labels, "hard")

        self.loss = BatchLoss(seen, of)
        self.step = SGDStep(self.loss)
        if compile:
            self.step = FastStep(self.loss, kernel=GradientKernel(of, device.type, strict=True))

    def gradient(self, inner_steps: int, unroll: Unroll | None = None) -> tuple[Tensor, ...]:
        """By the images and the learning rate; the adjoint's where no other unroll is given."""
        states = (unroll or AdjointUnroll()).run(self.step, self.begin, self.outer, inner_steps, [inner_steps])
        return torch.autograd.grad(trajectory_matching_loss(states[-1], self.target, self.begin), self.outer)


def experts_job(work: Work, device: torch.device, **how: Any) -> Callable[[], object]:
    """A call trains ``work.experts`` experts of ``work.epochs`` epochs with DSA, in a folder that is then thrown away.

    how: fields of ``Compute``, such as ``compile``.
    """
    real = generated_real(images=work.images, classes=work.classes, size=work.size, seed=work.seed)
    recipe = ExpertRecipe(count=work.experts, batch=work.batch, augmentation="dsa")

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder:
            given = {"epochs": work.epochs, "seed": work.seed, "compute": Compute(device=device, **how)}
            train_experts(Path(folder) / "buffer", real, work.network, recipe, **given)

    return train


def exam_protocol(work: Work) -> Protocol:
    """``mtt-v1`` with DSA, shortened."""
    setting = ProtocolOverrides(epochs=work.exam_epochs - 1, augmentation="dsa")
    return replace(protocol("mtt-v1"), setting=setting, batch=work.exam_batch)


def synthetic(work: Work) -> SyntheticSet:
    """A drawn set of the real one's shape, labeled in class-major order."""
    real = generated_real(images=work.classes * work.ipc, classes=work.classes, size=work.size, seed=work.seed)
    labels = torch.arange(work.classes).repeat_interleave(work.ipc)
    return SyntheticSet(
        images=real.inputs(real.train),
        labels=labels,
        student_lr=torch.tensor(0.01),
        ipc=work.ipc,
        dataset=real.name,
        class_names=real.class_names,
        network=work.network,
        preprocessing=real.preprocessing.describe(),
        method="drawn",
    )


def evaluation_job(work: Work, device: torch.device, test_images: int = 32, **how: Any) -> Callable[[], object]:
    """A call scores a drawn set with ``work.networks`` fresh networks. how: fields of ``Compute``."""
    syn, chosen = synthetic(work), exam_protocol(work)
    shape = {"images": 1, "classes": work.classes, "size": work.size, "test": test_images, "seed": work.seed}
    real = generated_real(**shape)
    seeds = range(work.seed, work.seed + work.networks)
    return lambda: score(syn, real, protocol=chosen, seeds=seeds, compute=Compute(device=device, **how))
