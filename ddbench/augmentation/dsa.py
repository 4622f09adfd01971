"""DSA: differentiable siamese augmentation as trajectory matching uses it, one family a call, parameters an image.

Source: Zhao and Bilen 2021 (arXiv:2102.08259); the transforms after Zhao et al. 2020 (arXiv:2006.10738). It works on
whatever values the network sees, normalized or whitened. Scales and rotations are sampled with ``align_corners=True``,
the default of torch 1.2, for which the released codes were written; run under a present torch these sample with False,
which moves what they see by up to half a pixel.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ddbench.augmentation import transforms
from ddbench.augmentation.draw import Draw, integers, parameters_for, uniform
from ddbench.errors import UserError, unknown

FAMILIES = ("color", "crop", "cutout", "flip", "scale", "rotate")


@final
@dataclass(frozen=True)
class DSAPolicy:
    """One of ``families``, each as likely, for the whole batch; its parameters independently for every image."""

    families: tuple[str, ...] = FAMILIES
    """Transformations of which a batch has one."""
    brightness: float = 1.0
    """Width of the range of what is added."""
    saturation: float = 2.0
    """Largest factor."""
    contrast: float = 0.5
    """Smallest factor, the largest is 1 more."""
    crop: float = 0.125
    """Largest shift and side of the square, as parts of the image."""
    cutout: float = 0.5
    """Largest shift and side of the square, as parts of the image."""
    flip: float = 0.5
    """Probability."""
    scale: float = 1.2
    """Largest factor, the smallest is its inverse."""
    rotate: float = 15.0
    """Largest angle in degrees."""

    def __post_init__(self) -> None:
        if not self.families:
            raise UserError("DSA needs a family", fix=f"give some of {', '.join(FAMILIES)}, or use augmentation 'none'")
        for family in self.families:
            if family not in FAMILIES:
                raise unknown("DSA family", family, FAMILIES)

    def without(self, *families: str) -> DSAPolicy:
        """Leave families out.

        Args:
            families: Names of families.

        Returns:
            The same augmentation with the others.
        """
        return dataclasses.replace(self, families=tuple(name for name in self.families if name not in families))

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw a family, and its parameters for every image.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The draw, its parameters (B,) each.
        """
        family = self.families[int(integers(0, len(self.families) - 1, (), generator))]
        return self.draw_family(family, batch, size, generator)

    def draw_family(self, family: str, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw the parameters of a chosen family.

        Args:
            family: One of the six families.
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The draw, its parameters (B,) each.

        Raises:
            UserError: DSA has no such family.
        """
        one, two, three = (batch,), (2, batch), (3, batch)
        match family:
            case "color":
                u = uniform(0, 1, three, generator)
                return Draw(family, ((u[0] - 0.5) * self.brightness, u[1] * self.saturation, u[2] + self.contrast))
            case "crop":
                reach = rounded(self.crop, size)
                return Draw(family, integers(-reach, reach, two, generator).unbind())
            case "cutout":
                side = rounded(self.cutout, size)
                return Draw(family, integers(0, size - side % 2, two, generator).unbind())
            case "flip":
                return Draw(family, (uniform(0, 1, one, generator) < self.flip,))
            case "scale":
                return Draw(family, uniform(1 / self.scale, self.scale, two, generator).unbind())
            case "rotate":
                return Draw(family, (uniform(-self.rotate, self.rotate, one, generator),))
        raise unknown("DSA family", family, FAMILIES)

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Transform the batch by its family.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.
        """
        parameters = parameters_for(images, draw)
        match draw.family:
            case "color":
                return transforms.color(images, *parameters)
            case "crop":
                return transforms.shift(images, *parameters)
            case "cutout":
                return transforms.cutout(images, *parameters, side=rounded(self.cutout, images.shape[2]))
            case "flip":
                return transforms.flip(images, *parameters)
            case "scale":
                return transforms.scale(images, *parameters)
            case "rotate":
                return transforms.rotate(images, *parameters)
        raise unknown("DSA family", draw.family, FAMILIES)


def rounded(part: float, size: int) -> int:
    """Turn a part of an image's side into whole pixels, halves rounded up.

    Args:
        part: Fraction of the side.
        size: Side, in pixels.

    Returns:
        Pixels.
    """
    return int(part * size + 0.5)
