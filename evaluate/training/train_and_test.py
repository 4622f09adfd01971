"""Training of fresh networks from their seeds, and their test on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from ddbench.errors import UserError
from ddbench.evaluate.training.batches import stacked_epoch
from ddbench.evaluate.training.checkpoint import TrainingCheckpoint
from ddbench.evaluate.training.evaluation_config import EvaluationConfig
from ddbench.evaluate.training.networks import is_finite, layers_seeded, trains_on_one
from ddbench.evaluate.training.optimizer import protocol_optimizer
from ddbench.evaluate.training.real_split import RealSplit
from ddbench.evaluate.training.training_source import TrainingSource
from ddbench.randomness import derive
from ddbench.runtime.threads import one_thread
from ddbench.training.epoch import consecutive_batches, top1_accuracy
from ddbench.training.forward_pass import ForwardPass, forward_pass
from ddbench.training.loop import Batch, ScheduledOptimizer, train_epochs
from ddbench.training.model_stack import SingleModel, StackedModels

TEST_BATCH = 256
"""Images that are tested at once."""

AfterEpoch = Callable[[int, int], None]
"""Called after an epoch with the number of epochs done, and of all."""


class SeedResult(NamedTuple):
    """Result of one network."""

    accuracy: float
    """Top-1 accuracy on the split, a fraction in [0, 1]."""
    finite: bool
    """Whether all its parameters are finite after the last epoch."""
    at_horizons: tuple[tuple[float, float], ...] = ()
    """Accuracies after each of the configuration's horizons: on the split to choose on, and on the one tested on."""


Observe = Callable[[int, Sequence[nn.Module]], None]
"""Called after an epoch with the number of epochs done and the networks as they are."""


def _ignore(done: int, total: int) -> None:
    del done, total


def train_and_test(
    config: EvaluationConfig,
    source: TrainingSource,
    split: RealSplit,
    seeds: Sequence[int],
    after_epoch: AfterEpoch = _ignore,
    choosing: RealSplit | None = None,
) -> list[SeedResult]:
    """Train one network per seed on ``source`` and test it on ``split``.

    Several seeds are trained at once, which changes rounding alone; networks with random layers take turns.

    Args:
        config: Resolved evaluation: network, optimizer, schedule, epochs, augmentation, device.
        source: Images (S, C, H, W) and labels (S,) or (S, K) to train on, on the device of ``config``.
        split: Real images to test on.
        seeds: One network each; a seed always gives the same initialization, shuffling, augmentation and mixing.
        after_epoch: Called with the number of epochs done, and of all, of every network or of all at once.
        choosing: Real images to choose a horizon on, where the configuration has some; None for ``split``.

    Returns:
        One result per seed, in order.

    Raises:
        UserError: Batches of one image are not enough for the network's batch norm; nothing is trained then.
    """
    with one_thread(config.device):
        if len(seeds) == 1 or config.has_random_layers:
            return [_train_and_test(config, source, split, [seed], after_epoch, choosing)[0] for seed in seeds]
        return _train_and_test(config, source, split, seeds, after_epoch, choosing)


def _train_and_test(
    config: EvaluationConfig,
    source: TrainingSource,
    split: RealSplit,
    seeds: Sequence[int],
    after_epoch: AfterEpoch,
    choosing: RealSplit | None,
) -> list[SeedResult]:
    """Train and test networks side by side, at each horizon where there are some."""
    found: list[list[tuple[float, float]]] = [[] for _ in seeds]

    def observe(done: int, networks: Sequence[nn.Module]) -> None:
        if done in config.horizons:
            for accuracies, network in zip(found, networks, strict=True):
                tested = _test(network, split).accuracy
                chosen_on = tested if choosing is None else _test(network, choosing).accuracy
                accuracies.append((chosen_on, tested))
                network.train()

    if len(seeds) == 1:
        networks = [train(config, source, seeds[0], after_epoch, observe=observe)]
    else:
        networks = _train_at_once(config, source, seeds, after_epoch, observe)
    return [
        _test(network, split)._replace(at_horizons=tuple(accuracies))
        for network, accuracies in zip(networks, found, strict=True)
    ]


def train(
    config: EvaluationConfig,
    source: TrainingSource,
    seed: int,
    after_epoch: AfterEpoch = _ignore,
    checkpoint: TrainingCheckpoint | None = None,
    observe: Observe | None = None,
) -> nn.Module:
    """Train the network of a seed to its last epoch.

    Args:
        config: Resolved evaluation.
        source: Images and labels to train on, on the device of ``config``.
        seed: Evaluation seed.
        after_epoch: Called with the number of epochs done, and of all.
        checkpoint: State of a source with one training set, which is continued and saved; None saves nothing.
        observe: Called after each epoch of the last training with the network.

    Returns:
        The trained network, in training mode.

    Raises:
        UserError: Batches of one image are not enough for the network's batch norm.
        ValueError: A checkpoint was given with several training sets, or with a number of steps.
    """
    if checkpoint is not None and len(source.sets) > 1:
        raise ValueError("a training on several sets can not be continued")
    if checkpoint is not None and config.steps is not None:
        raise ValueError("a training that stops after some steps can not be continued")
    network = config.build(seed)
    _check_batches(config, source, network)
    forward = _forward(config, stacked=False) if config.compiled else None
    with layers_seeded(derive(seed, "evaluation", "layers"), config.device):
        for number, batches in enumerate(source.batches(config.training, seed, config.device)):
            network.train()
            optimizer, begin = protocol_optimizer(SingleModel(network, forward), config.training), 0
            if checkpoint is not None:
                begin = checkpoint.restore(network, optimizer.optimizer, batches.streams)
            for epoch in _epochs(config, optimizer, batches.epoch, begin):
                if checkpoint is not None:
                    checkpoint.keep(epoch + 1, network, optimizer.optimizer, batches.streams)
                if observe is not None and number == len(source.sets) - 1:
                    observe(epoch + 1, [network])
                after_epoch(*_counted(config, source, number, epoch))
    return network


def _train_at_once(
    config: EvaluationConfig,
    source: TrainingSource,
    seeds: Sequence[int],
    after_epoch: AfterEpoch,
    observe: Observe,
) -> list[nn.Module]:
    networks = [config.build(seed).train() for seed in seeds]
    _check_batches(config, source, networks[0])
    stack = StackedModels(networks, _forward(config, stacked=True))
    trainings = zip(*(source.batches(config.training, seed, config.device) for seed in seeds), strict=True)
    for number, batches in enumerate(trainings):
        optimizer = protocol_optimizer(stack, config.training)
        for epoch in _epochs(config, optimizer, partial(stacked_epoch, batches, fused=stack.fused)):
            if number == len(source.sets) - 1:
                observe(epoch + 1, networks)
            after_epoch(*_counted(config, source, number, epoch))
    return networks


def _epochs(
    config: EvaluationConfig,
    optimizer: ScheduledOptimizer[Batch],
    batches: Callable[[int], Iterable[Batch]],
    begin: int = 0,
) -> Iterator[int]:
    return train_epochs(optimizer, batches, range(begin, config.training.trained_epochs), steps=config.steps)


def _counted(config: EvaluationConfig, source: TrainingSource, number: int, epoch: int) -> tuple[int, int]:
    """Count the epochs done, those of the trainings before this one included, and all."""
    epochs = config.training.trained_epochs
    return number * epochs + epoch + 1, len(source.sets) * epochs


def _test(network: nn.Module, split: RealSplit) -> SeedResult:
    batches = split.loader.batches(consecutive_batches(len(split), TEST_BATCH))
    return SeedResult(top1_accuracy(network.eval(), batches), is_finite(network))


def _forward(config: EvaluationConfig, *, stacked: bool) -> ForwardPass:
    return forward_pass(
        config.network,
        config.shape,
        config.device,
        stacked=stacked,
        compile=config.compiled,
        notice=config.compute.compile == "on",
    )


def _check_batches(config: EvaluationConfig, source: TrainingSource, network: nn.Module) -> None:
    images = source.fewest_images
    batch = min(images, source.batch_size(config.training))
    if batch > 1 or not config.training.joins_last:
        return
    image = torch.zeros(1, *config.shape.image, device=config.device)
    with layers_seeded(0, config.device):
        enough = trains_on_one(network, image)
    if not enough:
        raise UserError(
            f"{config.network} has batch norm, which can not train on one image "
            f"of {config.shape.size} pixels at a time",
            f"given {images} images, {batch} a batch",
            fix="give two images or more, or a network with another norm",
        )
