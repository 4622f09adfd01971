"""A set's images as 8-bit pixels, and what is lost on the way."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ddbench.data.whitening_cache import load_preprocessing
from ddbench.errors import UserError
from ddbench.synthetic.synthetic_set import SyntheticSet


def eight_bit(syn: SyntheticSet, home: Path) -> tuple[Tensor, tuple[str, ...]]:
    """Undo the preprocessing of a set's images, and round them to pixels.

    Args:
        syn: The set.
        home: Folder of cached whitenings.

    Returns:
        (S, C, H, W), uint8, and notes on what was cut and rounded.

    Raises:
        UserError: Values are no numbers, images are neither grey nor RGB, or a whitening is not in the cache.
    """
    if syn.images.shape[1] not in (1, 3):
        raise UserError(
            f"images of {syn.images.shape[1]} channels are no pictures",
            fix="export as native or pt, which hold any tensor",
        )
    images = load_preprocessing(syn.preprocessing, home).inverse(syn.images.detach().float())
    if not bool(images.isfinite().all()):
        raise UserError("the images hold NaN or infinity", fix="distill the set again; export as native to look at it")
    return images.clamp(0, 1).mul(255).round().to(torch.uint8), _notes(images)


def _notes(images: Tensor) -> tuple[str, ...]:
    rounded = "pixels are rounded to 1/255"
    beyond = (images - images.clamp(0, 1)).abs()
    if (most := beyond.max().item()) < 0.5 / 255:
        return (rounded,)
    share = (beyond >= 0.5 / 255).float().mean().item()
    return (f"{rounded}, and {share:.1%} of them lay outside [0, 1] and were cut, by up to {most:.3g}",)


def png(image: Tensor) -> bytes:
    """Encode one image as PNG, without loss.

    Args:
        image: (1, H, W) for grey or (3, H, W) for RGB, uint8.

    Returns:
        The bytes of the file.
    """
    picture = Image.fromarray(image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy())
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
