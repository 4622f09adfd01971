"""DC: the older augmentation of dataset condensation, in which every image picks one family for itself.

Source: Zhao et al. 2021 (arXiv:2006.05929) and its public code. Differs: rotation interpolates bilinearly where the
public code has cubic splines, and everything is done for the whole batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ddbench.augmentation import transforms
from ddbench.augmentation.draw import Draw, integers, parameters_for, uniform
from ddbench.errors import UserError, unknown

FAMILIES = ("crop", "scale", "rotate", "noise")


@final
@dataclass(frozen=True)
class DCPolicy:
    """One of ``families`` for every image, each as likely."""

    families: tuple[str, ...] = ("crop", "scale", "rotate")
    """Transformations of which an image has one."""
    crop: int = 4
    """Images are padded by so many pixels of their channel's mean over the batch and cropped at random, which shifts by
    -crop to crop - 1."""
    scale: float = 0.2
    """Height and width are each resized by 1 - scale to 1 + scale, nearest pixel, about the center, zero outside."""
    rotate: int = 45
    """Whole degrees from -rotate to rotate - 1 about the center, outside the mean over the batch."""
    noise: float = 0.001
    """Standard deviation of Gaussian noise."""
    channels: int = 3
    """For how many the noise is drawn; images may have fewer."""

    def __post_init__(self) -> None:
        if not self.families:
            raise UserError("DC needs a family", fix=f"give some of {', '.join(FAMILIES)}, or use augmentation 'none'")
        for family in self.families:
            if family not in FAMILIES:
                raise unknown("DC family", family, FAMILIES)

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Draw:
        """Draw a family for every image, and the parameters of each family.

        Args:
            batch: Images of the batch, B.
            size: Side of the images, in pixels.
            generator: Source of the draw; the draw is on its device.

        Returns:
            The families' positions in ``families``, (B,), int64, then each family's parameters for every image.
        """
        chosen = integers(0, len(self.families) - 1, (batch,), generator)
        parameters = [self._draw_family(family, batch, size, generator) for family in self.families]
        return Draw("_".join(self.families), (chosen, *parameters))

    def _draw_family(self, family: str, batch: int, size: int, generator: torch.Generator) -> Tensor:
        match family:
            case "crop":
                return integers(-self.crop, self.crop - 1, (batch, 2), generator)
            case "scale":
                return (uniform(1 - self.scale, 1 + self.scale, (batch, 2), generator) * size).long()
            case "rotate":
                return integers(-self.rotate, self.rotate - 1, (batch,), generator)
        shape = (batch, self.channels, size, size)
        return torch.randn(shape, generator=generator, device=generator.device) * self.noise

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        """Transform every image by its family.

        Args:
            images: (B, C, H, W).
            draw: What was drawn for B images.

        Returns:
            (B, C, H, W), of the same device and dtype; differentiable in the images.

        Raises:
            ValueError: Noise was drawn for fewer channels, or the draw is for another batch size.
        """
        chosen, *parameters = parameters_for(images, draw)
        result = images
        for number, (family, parameter) in enumerate(zip(self.families, parameters, strict=True)):
            changed = self._apply_family(family, images, parameter)
            result = torch.where((chosen == number).view(-1, 1, 1, 1), changed, result)
        return result

    def _apply_family(self, family: str, images: Tensor, parameter: Tensor) -> Tensor:
        match family:
            case "crop":
                return transforms.shift(images, *parameter.unbind(1), fill=images.mean((0, 2, 3), keepdim=True))
            case "scale":
                return resized(images, *parameter.unbind(1))
            case "rotate":
                mean = images.mean()
                return transforms.rotate(images - mean, parameter) + mean
        if images.shape[1] > self.channels:
            raise ValueError(f"noise was drawn for {self.channels} channels, the images have {images.shape[1]}")
        return images + parameter[:, : images.shape[1]].to(images.dtype)


def resized(images: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """Resize each image by nearest pixel, then cut or zero-pad it back.

    Both are centered on a square canvas that holds either; of an odd remainder the smaller half is above and left.

    Args:
        images: (B, C, S, S).
        heights: New height of each in pixels, (B,), int64.
        widths: New width of each in pixels, (B,), int64.

    Returns:
        (B, C, S, S).
    """
    size = images.shape[2]
    canvas = torch.maximum(heights, widths).clamp(min=size)
    return transforms.pick(images, _sources(heights, canvas, size), _sources(widths, canvas, size))


def _sources(lengths: Tensor, canvas: Tensor, size: int) -> Tensor:
    """Which line of the image each of ``size`` lines of the result shows, (B, size); -1 outside."""
    window = torch.arange(size, device=lengths.device) + ((canvas - size) // 2 - (canvas - lengths) // 2)[:, None]
    inside = (window >= 0) & (window < lengths[:, None])
    return torch.where(inside, window * size // lengths[:, None].clamp(min=1), -1)
