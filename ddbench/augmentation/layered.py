"""DSA as IDC uses it: flips and colors always, one family of those that move the image on top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ddbench.augmentation.draw import Draw
from ddbench.augmentation.dsa import DSAPolicy

_ALWAYS = ("flip", "color")


@final
@dataclass(frozen=True)
class LayeredDSA:
    """Every image is mirrored half the time and colored; the batch is cropped, scaled or rotated, each as likely.

    Source: Kim et al. 2022 (arXiv:2205.14959), the evaluation of IDC, which leaves cutout to CutMix.
    """

    dsa: DSAPolicy = DSAPolicy()
    """The strengths."""
    families: tuple[str, ...] = ("crop", "scale", "rotate")
    """Families that move the image, of which a batch has one."""
    mirror: bool = True
    """False never mirrors."""

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw a family that moves the image, and the parameters of all layers.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The parameters of the layers, one after the other, (B,) each; the family is the draw's name.
        """
        family = self.families[int(torch.randint(len(self.families), (), generator=generator, device=generator.device))]
        return self.draw_family(family, batch, size, generator)

    def draw_family(self, family: str, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw the parameters of all layers with a chosen family on top.

        Args:
            family: "crop", "scale" or "rotate".
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The draw.

        Raises:
            UserError: DSA has no such family.
        """
        layers = [self.dsa.draw_family(name, batch, size, generator) for name in (*self._always, family)]
        return Draw(family, tuple(parameter for layer in layers for parameter in layer.parameters))

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Transform the batch by all layers in turn.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.
        """
        left = list(draw.parameters)
        for family in (*self._always, draw.family):
            taken, left = left[: _PARAMETERS[family]], left[_PARAMETERS[family] :]
            images = self.dsa.apply(images, Draw(family, tuple(taken)))
        return images

    @property
    def _always(self) -> tuple[str, ...]:
        return _ALWAYS if self.mirror else ("color",)


_PARAMETERS = {"flip": 1, "color": 3, "crop": 2, "scale": 2, "rotate": 1}
