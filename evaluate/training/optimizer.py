"""Optimizer of a protocol, with its schedule of learning rates."""

from __future__ import annotations

import math
from functools import partial

import torch

from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.training.loop import Batch, ScheduledOptimizer
from ddbench.training.model_stack import SingleModel, Trainable


def protocol_optimizer(trainable: Trainable, config: TrainingConfig) -> ScheduledOptimizer[Batch]:
    """Make the optimizer of a protocol, which remembers nothing yet.

    Args:
        trainable: Network, or stack of networks, whose parameters it updates.
        config: Optimizer, momentum, weight decay and schedule.

    Returns:
        SGD, Adam or AdamW over the parameters; under the schedule "drop" it begins anew when the rate drops.
    """
    groups = _groups(trainable, config)
    if config.optimizer != "sgd":
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        optimizer = kind(groups, lr=config.lr, weight_decay=config.weight_decay, foreach=True)
    else:
        optimizer = torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay, foreach=True
        )
    restart = _drop(config) if config.schedule == "drop" else None
    return ScheduledOptimizer(trainable, optimizer, partial(learning_rate, config), restart=restart)


def learning_rate(config: TrainingConfig, epoch: int) -> float:
    """Compute the learning rate of an epoch.

    Args:
        config: Schedule, its rate and epochs.
        epoch: Number of the epoch, counted from 0.

    Returns:
        The rate of all its updates.
    """
    if epoch < config.warm_up_epochs:
        return config.lr * (0.01 + 0.99 * epoch / config.warm_up_epochs)
    done = (epoch - config.warm_up_epochs) / max(config.epochs - config.warm_up_epochs, 1)
    match config.schedule:
        case "cosine":
            return config.lr * (1 + math.cos(math.pi * done)) / 2
        case "half-cosine":
            return config.lr * (1 + math.cos(math.pi * done / 2)) / 2
        case "steps":
            return config.lr * config.drop_factor ** (
                (epoch >= 2 * config.epochs // 3) + (epoch >= 5 * config.epochs // 6)
            )
        case "drop":
            return config.lr * config.drop_factor if epoch >= _drop(config) else config.lr
    return config.lr


def _drop(config: TrainingConfig) -> int:
    """First epoch with the lower rate."""
    return config.epochs // 2 + 2


def _groups(trainable: Trainable, config: TrainingConfig) -> list[dict[str, object]]:
    if not config.decay_kernels_only:
        return [{"params": list(trainable.parameters.values())}]
    least = 2 if isinstance(trainable, SingleModel) else 3
    kernels = {name: p for name, p in trainable.parameters.items() if "weight" in name and p.ndim >= least}
    others = [p for name, p in trainable.parameters.items() if name not in kernels]
    return [{"params": list(kernels.values())}, {"params": others, "weight_decay": 0.0}]
