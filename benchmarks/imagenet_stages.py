"""The stages around a distillation at the size of ImageNet-1K, in small: what they take, and what is predicted."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.task import OuterStep, Task
from ddbench.estimates.model_size import Sizes
from ddbench.evaluate.protocols.builtin import protocol
from ddbench.evaluate.protocols.protocol import EvaluationContext, TrainingConfig
from ddbench.evaluate.score import score
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.methods.parts.labels import TargetLabels
from ddbench.methods.tesla import TESLA
from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.networks import ImageShape, build_network
from ddbench.plan.memory import evaluation_bytes, expert_need
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.progress import Silent


class StepClock(Silent):
    """Notes when each outer step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def update(self, done: int, **facts: Any) -> None:
        self.times.append(time.perf_counter())


def train_expert(options: argparse.Namespace, task: Task, folder: Path) -> None:
    """One expert of one epoch on all images, looked at on as many for validation."""
    train_experts(folder / "experts", task.real, options.network, EXPERT, epochs=1, seed=0, compute=task.compute)


def evaluate(options: argparse.Namespace, task: Task, folder: Path) -> None:
    """One fresh network of two epochs on the set that the method begins with, tested on all images."""
    del folder
    syn = NOISE.timing_init(task, options.ipc, OuterStep(0, options.seed))
    steps = EPOCHS * -(-len(syn) // course(options).batch)
    asked = {"protocol": "tesla-v1", "network": options.network, "seeds": (0,), "compute": task.compute}
    score(syn, task.real, **asked, lr=0.01, steps=steps)


EXPERT = ExpertRecipe(count=1)
NOISE = TESLA(inner_steps=1, max_start_epoch=1, image_lr=1.0, labels=TargetLabels())
"""For a set with soft labels, as the recipe's has."""
EPOCHS = 2
"""Of an evaluation in small."""


def course(options: argparse.Namespace) -> TrainingConfig:
    about = {"dataset": "generated", "network": options.network, "batch_norm": False, "ipc": options.ipc}
    return protocol("tesla-v1").resolve(EvaluationContext(**about, classes=options.classes, size=options.size))


STAGES: dict[str, Callable[[argparse.Namespace, Task, Path], None]] = {"expert": train_expert, "evaluation": evaluate}


def measured(name: str, options: argparse.Namespace, task: Task, method: TrajectoryMatching, made: Path) -> float:
    """Seconds of an outer step after the first, or of a whole expert or evaluation."""
    if name != "distillation":
        begun = time.perf_counter()
        STAGES[name](options, task, made)
        return time.perf_counter() - begun
    clock = StepClock()
    watched = replace(task, compute=replace(task.compute, progress=clock))
    optimize(method, watched, options.ipc, made, seed=options.seed)
    return (clock.times[-1] - clock.times[0]) / (len(clock.times) - 1)


def predicted_bytes(options: argparse.Namespace) -> dict[str, int]:
    """The estimated peak of an expert and of an evaluation, in bytes."""
    shape = ImageShape(3, options.size, options.classes)
    sizes = Sizes.of(build_network(options.network, shape, seed=0), shape, device=options.device)
    images = min(options.images)
    return {
        "expert": expert_need(EXPERT, 1, sizes, images, images).bytes,
        "evaluation": evaluation_bytes(course(options), sizes, images),
    }
