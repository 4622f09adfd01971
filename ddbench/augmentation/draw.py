"""Draws of augmentation: parameters drawn once, and a pure function that applies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Draw(NamedTuple):
    """The random part of one call: keep it, and the call can be repeated exactly."""

    family: str
    """Transformation, by its name."""
    parameters: tuple[Tensor, ...]
    """Its numbers, one entry an image in each tensor's first dimension."""

    def to(self, device: torch.device | str) -> Draw:
        """Copy to a device.

        Args:
            device: Where the parameters go.

        Returns:
            The copy.
        """
        return Draw(self.family, tuple(parameter.to(device) for parameter in self.parameters))

    def of(self, images: slice) -> Draw:
        """Take what was drawn for some images of the batch.

        Args:
            images: Positions in the batch.

        Returns:
            A draw for these.
        """
        return Draw(self.family, tuple(parameter[images] for parameter in self.parameters))

    def shared(self, images: int) -> Draw:
        """Give the parameters of the first image to a whole batch.

        Args:
            images: Images of the batch.

        Returns:
            A draw for so many images, all alike.
        """
        return Draw(self.family, tuple(p[:1].expand(images, *p.shape[1:]) for p in self.parameters))


class Augmentation(Protocol):
    """Anything that can be drawn for a batch of square images and applied to it."""

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw the parameters for a batch, from the generator alone.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The draw.
        """
        ...

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Augment images: a pure function of images and draw.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.
        """
        ...


def siamese(policy: Augmentation | None, size: int, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Draw one augmentation for every image of any number of batches.

    Args:
        policy: What is drawn from; None draws nothing.
        size: Side of the images, in pixels.
        generator: Source of the draw.

    Returns:
        A function of images (B, C, H, W), to all of which it does the same, differentiable; the identity without a
        policy.

    Source: Zhao and Bilen 2021 (DSA, arXiv:2102.08259), where real and synthetic images of a class share a draw.
    """
    if policy is None:
        return lambda images: images
    draw = policy.draw(1, size, generator)
    return lambda images: policy.apply(images, draw.shared(len(images)))


def uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw numbers uniformly from [low, high).

    Args:
        low: Lower end.
        high: Upper end.
        shape: Shape of the result.
        generator: Source of the draw.

    Returns:
        float32, on the generator's device.
    """
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def integers(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw whole numbers uniformly from low to high, both included.

    Args:
        low: Smallest.
        high: Largest.
        shape: Shape of the result.
        generator: Source of the draw.

    Returns:
        int64, on the generator's device.
    """
    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)


def parameters_for(images: Tensor, draw: Draw) -> list[Tensor]:
    """Bring a draw's parameters to the images' device.

    Args:
        images: (B, C, H, W).
        draw: What was drawn for B images.

    Returns:
        The parameters.

    Raises:
        ValueError: They were drawn for another batch size.
    """
    for parameter in draw.parameters:
        if parameter.shape[0] != images.shape[0]:
            raise ValueError(f"{images.shape[0]} images, but a draw for {parameter.shape[0]}")
    return [parameter.to(images.device) for parameter in draw.parameters]
