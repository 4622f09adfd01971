"""Encoded pictures of strangers as pixels: of plain image formats only, and only of the size that is expected."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.pixels import DEEP_MODES, GREY_MODES, Form, Picture, look, read_pixels
from ddbench.errors import UserError


def read_pictures(pictures: Iterable[Picture], count: int, real: RealSet) -> Tensor:
    """Read pictures with the channels and the size of the real images.

    Grey pictures become RGB where the real images are, transparent ones lie on white, and those that a camera turned
    are put upright, as pictures of real data sets are. A picture is looked at before it is decoded, so that a huge one
    costs nothing.

    Args:
        pictures: Encoded images, in order.
        count: How many there should be.
        real: The real data.

    Returns:
        (count, C, H, W), float32 in [0, 1].

    Raises:
        UserError: There are more images than real ones; or the first picture that is damaged, of another size, in color
            where the real images are grey, or of more than 8 bits a channel.
    """
    most = len(real.train) + len(real.validation)
    if not count or count > most:
        raise UserError(
            f"there are {count} images, but {real.name} has {most} for training",
            fix="check --dataset, and that the path is that of the distilled images",
        )
    if real.channels not in (1, 3):
        raise UserError(f"{real.name} has {real.channels} channels, which no picture has", fix="check --dataset")
    images = torch.empty(count, real.channels, real.size, real.size)
    read = 0
    for read, picture in enumerate(pictures, 1):
        if read > count:
            break
        images[read - 1] = torch.from_numpy(_pixels(picture, real))
    if read != count:
        raise UserError(f"there are not as many images as the files say ({count})", fix="copy them again")
    return images.div_(255)


def _pixels(picture: Picture, real: RealSet) -> np.ndarray:
    mode, size = look(picture)
    _check_like_real(picture.name, mode, size, real)
    decoded = read_pixels(picture, Form(real.channels, real.size, resize=False))
    return np.frombuffer(decoded.values, np.uint8).reshape(real.channels, real.size, real.size).copy()


def _check_like_real(name: str, mode: str, size: tuple[int, int], real: RealSet) -> None:
    if size != (real.size, real.size):
        raise UserError(
            f"{name} has {size[0]} x {size[1]} pixels, but {real.name} was loaded at {real.size} x {real.size}",
            fix="check --dataset, or load it in the size of the set with --size",
        )
    if mode in DEEP_MODES:
        raise UserError(f"{name} has more than 8 bits a channel (mode {mode})", fix="convert it to 8 bits")
    if real.channels == 1 and mode not in GREY_MODES:
        raise UserError(
            f"{name} is in color (mode {mode}), but {real.name} is grey", fix="check --dataset, or make it grey"
        )
