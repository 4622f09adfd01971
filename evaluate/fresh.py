"""Training one fresh network on a synthetic set, by a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ddbench.augmentation import DSA, augmentation
from ddbench.evaluate.protocols import Protocol, Setting
from ddbench.randomness import isolated, stream
from ddbench.training import gradient_update, shuffled_batches

Augment = Callable[[Tensor], Tensor]
"""Images (B, C, H, W) to randomly changed images of the same shape; draws from a generator of its own."""


def train_fresh(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    label_kind: str,
    lr: float,
    protocol: Protocol,
    setting: Setting,
    augment: Augment | None,
    generator: torch.Generator,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> None:
    """Train ``network`` in place for E + 1 epochs of SGD; its device is that of the images.

    images: (S, C, H, W). labels: (S,) or (S, K). lr: the rate before the drop. generator: shuffles, once an epoch.
    after_epoch: told the number of epochs done. Nothing here waits for the device.
    Source: ``evaluate_synset`` of VICO-UoE/DatasetCondensation and of its children. Differs: none.
    """
    network.train()
    update = gradient_update(network, _sgd(network, protocol, lr), label_kind)
    for epoch in range(setting.trained_epochs):
        for rows in shuffled_batches(len(images), protocol.batch, generator):
            batch = images[rows]
            update(augment(batch) if augment is not None else batch, labels[rows], batch)
        if epoch == setting.drop_after:
            update = gradient_update(network, _sgd(network, protocol, lr * protocol.drop_factor), label_kind)
        after_epoch(epoch + 1)


def _sgd(network: nn.Module, protocol: Protocol, lr: float) -> torch.optim.SGD:
    return torch.optim.SGD(
        network.parameters(),
        lr=lr,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
        foreach=True,
    )


def augment_by(name: str, *, mirror: bool, seed: int, device: torch.device) -> Augment | None:
    """The augmentation of a protocol's setting, on streams of randomness that belong to ``seed``; None for "none".

    mirror: whether the mirror image of a class is of that class.
    """
    chosen = augmentation(name, mirror=mirror)
    if chosen is None:
        return None
    generator = stream(seed, "evaluation", "augmentation", device=device)
    if not isinstance(chosen, DSA):
        return lambda images: chosen.apply(images, chosen.draw(len(images), images.shape[-1], generator))
    families = stream(seed, "evaluation", "augmentation family")

    def augment(images: Tensor) -> Tensor:
        # The family is a decision of the CPU: drawn on the device, it would have to be waited for at every step.
        family = chosen.families[int(torch.randint(len(chosen.families), (), generator=families))]
        return chosen.apply(images, chosen.draw_family(family, len(images), images.shape[-1], generator))

    return augment


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


def is_finite(network: nn.Module) -> bool:
    """Whether every parameter is a number."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in network.parameters()]).all())
