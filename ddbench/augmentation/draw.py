"""Draws of augmentation: parameters drawn once, and a pure function that applies them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Draw(NamedTuple):
    """The random part of one call: keep it, and the call can be repeated exactly."""

    family: str
    """What is done."""
    parameters: tuple[Tensor, ...]
    """How, one entry an image in each tensor's first dimension."""

    def to(self, device: torch.device | str) -> Draw:
        return Draw(self.family, tuple(parameter.to(device) for parameter in self.parameters))

    def of(self, images: slice) -> Draw:
        """What was drawn for some images of the batch."""
        return Draw(self.family, tuple(parameter[images] for parameter in self.parameters))


class Augmentation(Protocol):
    """Anything that can be drawn for a batch of square images and applied to it."""

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Parameters for ``batch`` images of ``size`` pixels, from and on the device of ``generator`` alone."""
        ...

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """The augmented images (B, C, H, W): deterministic, differentiable in the images, which stay as they are."""
        ...


def uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """float32 in [low, high), on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def integers(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """int64 in {low, ..., high}, both included, on the generator's device."""
    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)


def parameters_for(images: Tensor, draw: Draw) -> list[Tensor]:
    """The draw's parameters on the images' device.

    Raises:
        ValueError: They were drawn for another batch size.
    """
    for parameter in draw.parameters:
        if parameter.shape[0] != images.shape[0]:
            raise ValueError(f"{images.shape[0]} images, but a draw for {parameter.shape[0]}")
    return [parameter.to(images.device) for parameter in draw.parameters]
