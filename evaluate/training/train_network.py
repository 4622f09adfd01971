"""Training fresh networks by a protocol, one or several at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.batches import Batches, stacked_epoch
from ddbench.evaluate.training.checkpoint import TrainingCheckpoint
from ddbench.evaluate.training.losses import Criterion
from ddbench.randomness import isolated
from ddbench.training.forward_pass import ForwardPass
from ddbench.training.model_stack import SingleModel, StackedModels, Trainable


def train_network(
    network: nn.Module,
    batches: Batches,
    config: TrainingConfig,
    *,
    steps: int | None = None,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    checkpoint: TrainingCheckpoint | None = None,
    forward: ForwardPass | None = None,
) -> None:
    """Train a network in place, from the first epoch to the last.

    Nothing here waits for the device, except to save a checkpoint.

    Args:
        network: Network on the device of the batches.
        batches: Images with augmentation and loss, by epoch.
        config: Optimizer, schedule and epochs.
        steps: Updates after which it stops, with the schedule as it is for all of them; None for every epoch's.
        after_epoch: Called with the number of epochs done.
        checkpoint: Saves the state after every epoch, and may have one to continue from; it counts epochs, so it does
            not go with ``steps``.
        forward: Compiled pass of networks of this kind; None calls the network.

    Raises:
        ValueError: Both a checkpoint and a number of steps were given.
    """
    if checkpoint is not None and steps is not None:
        raise ValueError("a training that stops after some steps can not be continued")
    network.train()
    trainable = SingleModel(network, forward)
    optimizer, begin = make_optimizer(trainable, config, config.lr), 0
    if checkpoint is not None:
        begin = checkpoint.restore(network, optimizer, batches.streams)

    def finish_epoch(epoch: int, optimizer: torch.optim.Optimizer) -> None:
        if checkpoint is not None:
            checkpoint.keep(epoch, network, optimizer, batches.streams)
        after_epoch(epoch)

    _train(trainable, optimizer, batches.epoch, config, begin, steps, finish_epoch)


def train_stacked(
    stack: StackedModels,
    batches: Sequence[Batches],
    config: TrainingConfig,
    *,
    steps: int | None = None,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> None:
    """Train several networks at once, in place.

    Args:
        stack: Networks of one kind.
        batches: Those of each network, of one training set.
        config: Optimizer, schedule and epochs.
        steps: Updates after which it stops; None for every epoch's.
        after_epoch: Called with the number of epochs done.
    """
    for network in stack.networks:
        network.train()
    optimizer = make_optimizer(stack, config, config.lr)
    _train(
        stack,
        optimizer,
        lambda epoch: stacked_epoch(batches, epoch, fused=stack.fused),
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
    finish_epoch: Callable[[int, torch.optim.Optimizer], None],
) -> None:
    """Run the epochs: ``batches`` gives an epoch's inputs with the loss of their logits."""
    lr, done = config.lr, 0
    for epoch in range(begin, config.trained_epochs):
        if config.schedule != "drop":
            lr = scheduled(config, epoch)
            _set_rate(optimizer, lr)
        for images, criterion in batches(epoch):
            if done == steps:
                return
            optimizer.zero_grad(set_to_none=True)
            criterion(trainable.logits(images)).backward()
            optimizer.step()
            done += 1
        if config.schedule == "drop" and epoch == config.epochs // 2 + 1:
            optimizer = make_optimizer(trainable, config, lr * config.drop_factor)
        finish_epoch(epoch + 1, optimizer)


def scheduled(config: TrainingConfig, epoch: int) -> float:
    """Compute the learning rate of an epoch under every schedule but "drop".

    Args:
        config: Schedule, its rate and epochs.
        epoch: Number of the epoch, counted from 0.

    Returns:
        The rate of all its updates.
    """
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
    """Make a new optimizer of the configured kind, which remembers nothing.

    Args:
        trainable: Network, or stack of networks, whose parameters it updates.
        config: Optimizer, momentum and weight decay.
        lr: Rate it begins with.

    Returns:
        SGD or AdamW over the parameters.
    """
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


@contextmanager
def layers_seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let layers that draw random numbers (dropout) draw from a seed; afterwards the global state is as before."""
    devices = [device] if device.type == "cuda" else []
    with isolated(seed), torch.random.fork_rng(devices=devices):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a layer of the network is batch norm."""
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
