"""Sizes of student and data that estimates are made of, and settings that change them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ddbench.estimates.memory import activation_floats
from ddbench.networks.image_shape import ImageShape
from ddbench.runtime.compile import Choice


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a network and of its images, and how it is computed."""

    parameters: int
    """P of the network."""
    activations: int
    """Numbers that its layers put out for one image."""
    shape: ImageShape
    """Images and classes."""
    device: str = "cpu"
    """Type of what computes: ``cpu`` or ``cuda``."""
    ranks: int = 1
    """Processes that share out every batch."""
    compile: Choice = "off"
    """Whether steps are compiled."""

    @classmethod
    def of(
        cls,
        network: nn.Module,
        shape: ImageShape,
        *,
        device: str = "cpu",
        ranks: int = 1,
        compile: Choice = "off",
    ) -> Sizes:
        """Measure a network on images of a shape.

        Args:
            network: The network, called once on one image.
            shape: Images and classes.
            device: Type of device that will compute.
            ranks: Processes that share out every batch.
            compile: Whether steps will be compiled.

        Returns:
            The sizes.
        """
        return cls(
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            activations=activation_floats(network, shape),
            shape=shape,
            device=device,
            ranks=ranks,
            compile=compile,
        )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.shape.classes

    @property
    def pixels(self) -> int:
        """Numbers of one image."""
        return self.shape.pixels


@dataclass(frozen=True)
class MemorySuggestion:
    """A change that makes a computation smaller."""

    how: str
    """As it is written on a command line."""
    bytes: int | None = None
    """What it would then take, by estimate; None where nobody knows."""
    note: str = ""
    """What else it changes."""
