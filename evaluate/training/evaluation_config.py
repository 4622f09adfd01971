"""Configuration of an evaluation, resolved: the network, every number of its training, and the device."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ddbench.data.realset import RealSet
from ddbench.estimates import memory_check
from ddbench.estimates.memory import activation_floats, training_bytes
from ddbench.estimates.training_time import training_seconds
from ddbench.evaluate.protocols.protocol import EvaluationContext, Protocol, TrainingConfig
from ddbench.evaluate.training.networks import has_batch_norm
from ddbench.evaluate.training.training_source import TrainingSource
from ddbench.networks import ImageShape, build_network
from ddbench.randomness import derive
from ddbench.runtime.compile import should_compile
from ddbench.runtime.compute import Compute
from ddbench.training.forward_pass import draws_at_random


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """One evaluation with nothing left to look up: equal configurations and sources give equal networks."""

    protocol: str
    """Key of the protocol, such as ``mtt-v1``."""
    training: TrainingConfig
    """Every number of one training, as the protocol has it for this data, network and size."""
    network: str
    """Canonical name of the network."""
    shape: ImageShape
    """Images and classes."""
    steps: int | None
    """Updates after which each training stops; None for as many as its epochs have."""
    compute: Compute
    """How one process trains and tests, on which device."""
    horizons: tuple[int, ...] = ()
    """Epochs after which networks are tested, of which one is chosen; none where they are tested after the last."""
    compiled: bool = False
    """Whether training steps are compiled, which changes rounding alone."""

    @property
    def device(self) -> torch.device:
        """Device that trains and tests."""
        return self.compute.device

    def build(self, seed: int) -> nn.Module:
        """Build the untrained network of an evaluation seed.

        Args:
            seed: Decides the first parameters.

        Returns:
            The network, on the device.
        """
        return self._network(derive(seed, "evaluation", "network")).to(self.device)

    @cached_property
    def has_random_layers(self) -> bool:
        """True where layers of the network draw random numbers in training, as dropout does."""
        return draws_at_random(self.example, self.shape)

    @cached_property
    def example(self) -> nn.Module:
        """One network of this kind on the CPU, to measure; it is never trained."""
        return self._network(0)

    @cached_property
    def activations(self) -> int:
        """Numbers that the layers of the network put out for one image."""
        return activation_floats(self.example, self.shape)

    def _network(self, seed: int) -> nn.Module:
        return build_network(self.network, self.shape, seed=seed)

    def __getstate__(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def resolve_config(
    protocol: Protocol,
    network: str,
    real: RealSet,
    source: TrainingSource,
    *,
    ipc: int,
    networks: int,
    compute: Compute,
    lr: float | None = None,
    steps: int | None = None,
    stretch: bool = False,
) -> EvaluationConfig:
    """Resolve a protocol for a network, a real set and what is trained on.

    Args:
        protocol: Rules of training, of which some depend on data, network and size.
        network: Canonical name of the network.
        real: Real set that gives name, shape and classes.
        source: Images that are trained on.
        ipc: Images per class as trained on.
        networks: Networks that are trained in all.
        compute: How networks are trained and tested. Those with random layers are never compiled: they would draw
            other numbers.
        lr: Rate that training begins with; None takes the protocol's.
        steps: Updates after which each training stops; None for as many as its epochs have.
        stretch: Whether epochs and schedule are stretched, or shortened, to just ``steps`` updates.

    Returns:
        The resolved configuration.

    Raises:
        UserError: Compilation is "on" and this machine can not compile.
    """
    context = EvaluationContext(
        dataset=real.name,
        network=network,
        batch_norm=has_batch_norm(build_network(network, real.shape, seed=0)),
        ipc=ipc,
        classes=real.classes,
        size=real.size,
    )
    training = protocol.resolve(context, lr)
    if stretch and steps is not None:
        epochs = -(-steps // source.steps_per_epoch(training))
        training = replace(training, epochs=epochs, trained_epochs=epochs)
    config = EvaluationConfig(
        protocol=protocol.key,
        training=training,
        network=network,
        shape=real.shape,
        steps=steps,
        compute=compute.on(compute.device),
        horizons=protocol.horizons if steps is None else (),
    )
    return replace(config, compiled=_should_compile(config, source, networks))


def _should_compile(config: EvaluationConfig, source: TrainingSource, networks: int) -> bool:
    compile = config.compute.compile
    if compile == "off":
        return False
    images = networks * config.training.images_seen(source.images)
    seconds = training_seconds(config.activations, images, config.training.batch, config.device)
    return should_compile(compile, seconds=seconds, device=config.device.type) and not config.has_random_layers


def stack_size(config: EvaluationConfig, source: TrainingSource, networks: int) -> int:
    """Count the networks that are trained at once.

    Args:
        config: Resolved evaluation; its computation decides.
        source: Images that are trained on.
        networks: Networks that are trained in all.

    Returns:
        A number from 1 to ``networks``; 1 for networks with random layers, which take turns.
    """
    if (config.compute.together is None and config.device.type == "cpu") or config.has_random_layers:
        return 1
    parameters = sum(parameter.numel() for parameter in config.example.parameters())
    batch = min(config.training.batch, max(map(len, source.sets)))
    each = training_bytes(
        parameters=parameters,
        activations=config.activations,
        batch=batch,
        pixels=config.shape.pixels,
        vectors=config.training.vectors,
        stacked=True,
    )
    return memory_check.stack_size(config.compute.together, networks, config.device, each)
