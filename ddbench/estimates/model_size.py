"""Sizes of student and data that estimates are made of, and settings that change them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ddbench.estimates.memory import activation_floats
from ddbench.runtime.compile import Choice


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """parameters: P of the student. activations: numbers its layers put out for one image. size: side in pixels.
    device: type of what computes ("cpu", "cuda"). ranks: processes that share out every batch. compile: whether steps
    are compiled."""

    parameters: int
    activations: int
    classes: int
    channels: int
    size: int
    device: str = "cpu"
    ranks: int = 1
    compile: Choice = "off"

    @classmethod
    def of(
        cls,
        network: nn.Module,
        *,
        channels: int,
        size: int,
        classes: int,
        device: str = "cpu",
        ranks: int = 1,
        compile: Choice = "off",
    ) -> Sizes:
        """Of a network on images of this shape."""
        return cls(
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            activations=activation_floats(network, channels, size),
            classes=classes,
            channels=channels,
            size=size,
            device=device,
            ranks=ranks,
            compile=compile,
        )

    @property
    def pixels(self) -> int:
        """Numbers of one image."""
        return self.channels * self.size**2


@dataclass(frozen=True)
class MemorySuggestion:
    """A change that makes a computation smaller."""

    how: str
    """As it is written on a command line."""
    bytes: int | None = None
    """What it would then take, by estimate; None where nobody knows."""
    note: str = ""
    """What else it changes."""
