"""Time of experts and evaluations on this device: a few epochs on drawn data, timed and multiplied."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from statistics import median

import torch

from ddbench.estimates.memory import activation_floats
from ddbench.estimates.training_time import training_seconds
from ddbench.evaluate.protocols.protocol import Protocol, TrainingConfig
from ddbench.evaluate.score import score
from ddbench.evaluate.training.train_and_test import TEST_BATCH
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.networks import build_network
from ddbench.plan.memory import passes
from ddbench.plan.time_distillation import TimingSetup, in_turns, seconds
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.compile import should_compile
from ddbench.runtime.compute import Compute
from ddbench.runtime.progress import Silent
from ddbench.runtime.threads import one_thread
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.epoch import consecutive_batches, top1_accuracy

_EPOCHS = 4
"""Of which the first, which loads and allocates, is not counted."""

_EPOCH_SECONDS = 1.0
"""About how long an epoch of a rehearsal is to take, where that is more than a batch."""

_MOST_BATCHES = 8


class _Clock(Silent):
    """A progress meter that notes when each unit of work was done."""

    def __init__(self) -> None:
        self.times: dict[int, float] = {}

    def update(self, done: int, **facts: object) -> None:
        self.times.setdefault(done, time.perf_counter())

    def each(self) -> float:
        """Median seconds of a unit; the first that was told of is not counted."""
        times = sorted(self.times.items())
        return median((t1 - t0) / (d1 - d0) for (d0, t0), (d1, t1) in zip(times[:-1], times[1:], strict=True))


def expert_seconds(
    recipe: ExpertRecipe, epochs: int, images: int, validation: int, missing: int, stage: TimingSetup
) -> float:
    """Estimate the time of one expert, from a few epochs on drawn data.

    Args:
        recipe: Optimizer and batch size.
        epochs: Epochs of the expert.
        images: Training images of an epoch.
        validation: Images on which it is tested after each epoch.
        missing: Experts that are to be trained, by which compiling is decided.
        stage: Network, shape of the images and device.

    Returns:
        Seconds of one expert.
    """
    floats = _floats(stage)
    whole = training_seconds(floats, epochs * images, recipe.batch, stage.compute.device)
    batch = min(recipe.batch, images)
    of_batch = passes(recipe) * training_seconds(floats, batch, batch, stage.compute.device)
    batches = max(1, min(_MOST_BATCHES, round(_EPOCH_SECONDS / of_batch), images // batch))
    real = stage.drawn(batches * batch, validation=round(batches * batch * validation / images))
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        train_experts(
            folder,
            real,
            stage.network,
            recipe.model_copy(update={"count": 1, "epochs": "auto"}),
            epochs=_EPOCHS,
            seed=0,
            compute=replace(_decided(stage, missing * whole), progress=clock, checkpoint_seconds=1e9),
        )
    return epochs * clock.each() * images / (batches * batch)


def evaluation_seconds(
    protocol: Protocol, config: TrainingConfig, images: int, seen: int, tested: int, networks: int, stage: TimingSetup
) -> float:
    """Estimate the time of training one fresh network and testing it, from a few epochs on drawn data.

    Args:
        protocol: Protocol of the evaluation.
        config: Training that the protocol resolves to.
        images: Images of the synthetic set.
        seen: Images of the whole training, each as often as it is seen.
        tested: Real images of the test.
        networks: Networks that are evaluated together, by which compiling is decided.
        stage: Network, shape of the images and device.

    Returns:
        Seconds of one network.
    """
    floats, batch = _floats(stage), min(config.batch, images)
    shown = min(images, _MOST_BATCHES // 2 * batch)
    real = stage.drawn(stage.shape.classes, test=8)
    whole = networks * training_seconds(floats, seen, batch, stage.compute.device)
    labels = torch.arange(shown) % stage.shape.classes
    kind = "hard"
    if config.loss == "kl":
        labels, kind = torch.nn.functional.one_hot(labels, stage.shape.classes).float(), "logits"
    syn = SyntheticSet(
        images=torch.randn(shown, *stage.shape.image),
        labels=labels,
        label_kind=kind,
        ipc=1,
        method="rehearsal",
        provenance={},
        dataset="drawn",
        class_names=real.class_names,
        network=stage.network,
        preprocessing=real.preprocessing.describe(),
    )
    clock = _Clock()
    score(
        syn,
        real,
        protocol=protocol,
        network=stage.network,
        seeds=(0,),
        compute=replace(_decided(stage, whole), progress=clock),
        lr=1e-3,
        steps=_EPOCHS * -(-shown // batch),
    )
    return clock.each() * seen / shown + _test_seconds(tested, stage)


def _test_seconds(images: int, stage: TimingSetup) -> float:
    """Of a look at so many real images, as many at once as in a test."""
    network = build_network(stage.network, stage.shape, seed=0).to(stage.compute.device).eval()
    seen = torch.randn(min(TEST_BATCH, images), *stage.shape.image, device=stage.compute.device)
    labels = torch.zeros(len(seen), dtype=torch.int64, device=stage.compute.device)

    def look() -> None:
        top1_accuracy(network, ((seen[rows], labels[rows]) for rows in consecutive_batches(len(seen), TEST_BATCH)))

    with one_thread(stage.compute.device):
        return in_turns({"test": lambda: seconds(look, stage.compute.device)}, {})["test"] * images / len(seen)


def _decided(stage: TimingSetup, seconds: float) -> Compute:
    """How a whole computation of so many seconds is carried out: compiled or not, whatever is timed of it."""
    compute = stage.compute
    compiled = should_compile(compute.compile, seconds=seconds, device=compute.device.type)
    return replace(compute, compile="on" if compiled else "off")


def _floats(stage: TimingSetup) -> int:
    return activation_floats(build_network(stage.network, stage.shape, seed=0), stage.shape)
