"""Training fresh networks by a protocol, one or several at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ddbench.augmentation import DSA, Augmentation, Draw, LayeredDSA, augmentation
from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.batches import Augment, Views, stacked_epoch
from ddbench.evaluate.training.checkpoint import TrainingCheckpoint
from ddbench.evaluate.training.losses import Criterion
from ddbench.randomness import isolated, stream
from ddbench.training.forward_pass import ForwardPass
from ddbench.training.model_stack import SingleModel, StackedModels, Trainable


def train_network(
    network: nn.Module,
    views: Views,
    config: TrainingConfig,
    *,
    steps: int | None = None,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    unfinished: TrainingCheckpoint | None = None,
    forward: ForwardPass | None = None,
) -> None:
    """Train ``network`` in place, from the first epoch to the last; its device is that of the views.

    steps: stop after so many updates, with the schedule as it is for all of them. after_epoch: told the number of
    epochs done. unfinished: keeps the state after every epoch, and may know one to go on from; it counts epochs, so
    not together with steps. forward: a compiled pass of networks of this kind; None calls the network. But for
    unfinished, nothing here waits for the device.
    """
    if unfinished is not None and steps is not None:
        raise ValueError("a training that stops after some steps can not be gone on with")
    network.train()
    trainable = SingleModel(network, forward)
    optimizer, begin = make_optimizer(trainable, config, config.lr), 0
    if unfinished is not None:
        begin = unfinished.restore(network, optimizer, views.streams)

    def ended(epoch: int, optimizer: torch.optim.Optimizer) -> None:
        if unfinished is not None:
            unfinished.keep(epoch, network, optimizer, views.streams)
        after_epoch(epoch)

    _train(trainable, optimizer, views.epoch, config, begin, steps, ended)


def train_stacked(
    stack: StackedModels,
    views: Sequence[Views],
    config: TrainingConfig,
    *,
    steps: int | None = None,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> None:
    """The same of several networks at once, in place. views: one a network, of one lesson."""
    for network in stack.networks:
        network.train()
    optimizer = make_optimizer(stack, config, config.lr)
    _train(
        stack,
        optimizer,
        lambda epoch: stacked_epoch(views, epoch, fused=stack.fused),
        config,
        0,
        steps,
        lambda epoch, optimizer: after_epoch(epoch),
    )


def _train(
    trainable: Trainable,
    optimizer: torch.optim.Optimizer,
    batches: Callable[[int], Iterable[tuple[Tensor, Criterion]]],
    config: TrainingConfig,
    begin: int,
    steps: int | None,
    ended: Callable[[int, torch.optim.Optimizer], None],
) -> None:
    """batches: of an epoch, with the loss of their logits. ended: told after each epoch, with the optimizer."""
    lr, done = config.lr, 0
    for epoch in range(begin, config.trained_epochs):
        if config.schedule != "drop":
            lr = scheduled(config, epoch)
            _set_rate(optimizer, lr)
        for seen, criterion in batches(epoch):
            if done == steps:
                return
            optimizer.zero_grad(set_to_none=True)
            criterion(trainable.logits(seen)).backward()
            optimizer.step()
            done += 1
        if config.schedule == "drop" and epoch == config.epochs // 2 + 1:
            optimizer = make_optimizer(trainable, config, lr * config.drop_factor)
        ended(epoch + 1, optimizer)


def scheduled(config: TrainingConfig, epoch: int) -> float:
    """The learning rate in an epoch, counted from 0, of every schedule but "drop"."""
    done = epoch / config.epochs
    match config.schedule:
        case "cosine":
            return config.lr * (1 + math.cos(math.pi * done)) / 2
        case "half-cosine":
            return config.lr * (1 + math.cos(math.pi * done / 2)) / 2
        case "steps":
            return config.lr * config.drop_factor ** (
                (epoch >= 2 * config.epochs // 3) + (epoch >= 5 * config.epochs // 6)
            )
    return config.lr


def make_optimizer(trainable: Trainable, config: TrainingConfig, lr: float) -> torch.optim.Optimizer:
    """A new optimizer of the course's kind, which remembers nothing."""
    groups = _groups(trainable, config)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, weight_decay=config.weight_decay, foreach=True)
    return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, weight_decay=config.weight_decay, foreach=True)


def _groups(trainable: Trainable, config: TrainingConfig) -> list[dict[str, object]]:
    if not config.decay_kernels_only:
        return [{"params": list(trainable.parameters.values())}]
    least = 2 if isinstance(trainable, SingleModel) else 3
    kernels = {name: p for name, p in trainable.parameters.items() if "weight" in name and p.ndim >= least}
    others = [p for name, p in trainable.parameters.items() if name not in kernels]
    return [{"params": list(kernels.values())}, {"params": others, "weight_decay": 0.0}]


def _set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def augment_by(
    name: str, *, mirror: bool, seed: int, device: torch.device, black: Tensor | None = None
) -> Augment | None:
    """The augmentation of a protocol's setting, on streams of randomness that belong to ``seed``; None for "none".

    mirror: whether the mirror image of a class is of that class. black: (C, 1, 1), what lies outside an image.
    """
    chosen = augmentation(name, mirror=mirror, black=black)
    if chosen is None:
        return None
    return IndependentAugmentation(
        chosen,
        generator=stream(seed, "evaluation", "augmentation", device=device),
        families=stream(seed, "evaluation", "augmentation family"),
    )


@final
@dataclass(frozen=True, eq=False)
class IndependentAugmentation:
    """An augmentation that draws for itself. families: for the one of DSA's families that a batch gets, on the CPU."""

    chosen: Augmentation
    generator: torch.Generator
    families: torch.Generator

    @property
    def streams(self) -> dict[str, torch.Generator]:
        """What it draws from, by name."""
        return {"augmentation": self.generator, "augmentation family": self.families}

    def __call__(self, images: Tensor) -> Tensor:
        return self.chosen.apply(images, self.draw(len(images), images.shape[-1]))

    def draw(self, count: int, side: int) -> Draw:
        """For ``count`` images of ``side`` pixels."""
        chosen = self.chosen
        if not isinstance(chosen, DSA | LayeredDSA):
            return chosen.draw(count, side, self.generator)
        # The family is a decision of the CPU: drawn on the device, it would have to be waited for at every step.
        family = chosen.families[int(torch.randint(len(chosen.families), (), generator=self.families))]
        return chosen.draw_family(family, count, side, self.generator)


@contextmanager
def layers_seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Layers that draw for themselves (dropout) draw from this seed; then the global state is as before."""
    devices = [device] if device.type == "cuda" else []
    with isolated(seed), torch.random.fork_rng(devices=devices):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def has_batch_norm(network: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def trains_on_one(network: nn.Module, image: Tensor) -> bool:
    """Whether batch norm finds numbers enough in a single image, (1, C, H, W); ``network`` stays as it is."""
    try:
        with torch.no_grad():
            deepcopy(network).train()(image)
    except ValueError:
        return False
    return True


def is_finite(network: nn.Module) -> bool:
    """Whether every parameter is a number."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in network.parameters()]).all())
