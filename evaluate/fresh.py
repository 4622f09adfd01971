"""Training one fresh network, by a protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ddbench.augmentation import DSA, Augmentation, LayeredDSA, augmentation
from ddbench.evaluate.protocol import Course
from ddbench.evaluate.unfinished import Unfinished
from ddbench.evaluate.views import Augment, Views
from ddbench.randomness import isolated, stream


def train_fresh(
    network: nn.Module,
    views: Views,
    course: Course,
    *,
    steps: int | None = None,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    unfinished: Unfinished | None = None,
) -> None:
    """Train ``network`` in place, from the first epoch to the last; its device is that of the views.

    steps: stop after so many updates, with the schedule as it is for all of them. after_epoch: told the number of
    epochs done. unfinished: keeps the state after every epoch, and may know one to go on from; it counts epochs, so
    not together with steps. But for it, nothing here waits for the device.
    """
    if unfinished is not None and steps is not None:
        raise ValueError("a training that stops after some steps can not be gone on with")
    network.train()
    optimizer, lr, done = make_optimizer(network, course, course.lr), course.lr, 0
    begin = 0 if unfinished is None else unfinished.restore(network, optimizer, views.streams)
    for epoch in range(begin, course.trained_epochs):
        if course.schedule != "drop":
            lr = scheduled(course, epoch)
            _set_rate(optimizer, lr)
        for seen, criterion in views.epoch(epoch):
            if done == steps:
                return
            optimizer.zero_grad(set_to_none=True)
            criterion(network(seen)).backward()
            optimizer.step()
            done += 1
        if course.schedule == "drop" and epoch == course.epochs // 2 + 1:
            optimizer = make_optimizer(network, course, lr * course.drop_factor)
        if unfinished is not None:
            unfinished.keep(epoch + 1, network, optimizer, views.streams)
        after_epoch(epoch + 1)


def scheduled(course: Course, epoch: int) -> float:
    """The learning rate in an epoch, counted from 0, of every schedule but "drop"."""
    done = epoch / course.epochs
    match course.schedule:
        case "cosine":
            return course.lr * (1 + math.cos(math.pi * done)) / 2
        case "half-cosine":
            return course.lr * (1 + math.cos(math.pi * done / 2)) / 2
        case "steps":
            return course.lr * course.drop_factor ** (
                (epoch >= 2 * course.epochs // 3) + (epoch >= 5 * course.epochs // 6)
            )
    return course.lr


def make_optimizer(network: nn.Module, course: Course, lr: float) -> torch.optim.Optimizer:
    """A new optimizer of the course's kind, which remembers nothing."""
    groups = _groups(network, course)
    if course.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, weight_decay=course.weight_decay, foreach=True)
    return torch.optim.SGD(groups, lr=lr, momentum=course.momentum, weight_decay=course.weight_decay, foreach=True)


def _groups(network: nn.Module, course: Course) -> list[dict[str, object]]:
    if not course.decay_kernels_only:
        return [{"params": list(network.parameters())}]
    kernels = [p for name, p in network.named_parameters() if "weight" in name and p.ndim > 1]
    others = [p for name, p in network.named_parameters() if not ("weight" in name and p.ndim > 1)]
    return [{"params": kernels}, {"params": others, "weight_decay": 0.0}]


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
    return OwnDraws(
        chosen,
        generator=stream(seed, "evaluation", "augmentation", device=device),
        families=stream(seed, "evaluation", "augmentation family"),
    )


@final
@dataclass(frozen=True, eq=False)
class OwnDraws:
    """An augmentation that draws for itself. families: for the one of DSA's families that a batch gets, on the CPU."""

    chosen: Augmentation
    generator: torch.Generator
    families: torch.Generator

    @property
    def streams(self) -> dict[str, torch.Generator]:
        """What it draws from, by name."""
        return {"augmentation": self.generator, "augmentation family": self.families}

    def __call__(self, images: Tensor) -> Tensor:
        chosen, shape = self.chosen, (len(images), images.shape[-1])
        if not isinstance(chosen, DSA | LayeredDSA):
            return chosen.apply(images, chosen.draw(*shape, self.generator))
        # The family is a decision of the CPU: drawn on the device, it would have to be waited for at every step.
        family = chosen.families[int(torch.randint(len(chosen.families), (), generator=self.families))]
        return chosen.apply(images, chosen.draw_family(family, *shape, self.generator))


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
