"""Encoded pictures of strangers as pixels: of plain image formats only, and only of the size that is expected."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.decode import DEEP_MODES, FORMATS, GREY_MODES, Picture
from ddbench.errors import UserError
from ddbench.files.torch_file import unreadable


def read_pictures(pictures: Iterable[Picture], count: int, real: RealSet) -> Tensor:
    """``count`` pictures as (count, C, H, W), float32 in [0, 1], with the channels and the size of the real images.

    Grey pictures become RGB where the real images are. Errors: UserError for more images than there are real ones, and
    one that names the first picture that is damaged, of another size, in colour where the real images are grey, or of
    more than 8 bits a channel. A picture is looked at before it is decoded, so that a huge one costs nothing.
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
    if isinstance(picture.source, Path) and not picture.source.is_file():
        raise UserError(f"{picture.name} is no file", fix="remove it")
    source = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else picture.source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as image:
                _check_like_real(picture.name, image, real)
                array = np.asarray(image.convert("L" if real.channels == 1 else "RGB"))
    except UserError:
        raise
    except Exception as error:  # a damaged picture can make the reader fail in any way
        raise unreadable(Path(picture.name), error) from None
    return array[None].copy() if array.ndim == 2 else array.transpose(2, 0, 1).copy()


def _check_like_real(name: str, image: Image.Image, real: RealSet) -> None:
    if image.size != (real.size, real.size):
        width, height = image.size
        raise UserError(
            f"{name} has {width} x {height} pixels, but {real.name} was loaded at {real.size} x {real.size}",
            fix="check --dataset, or load it in the size of the set with --size",
        )
    if image.mode in DEEP_MODES:
        raise UserError(f"{name} has more than 8 bits a channel (mode {image.mode})", fix="convert it to 8 bits")
    if real.channels == 1 and image.mode not in GREY_MODES:
        raise UserError(
            f"{name} is in colour (mode {image.mode}), but {real.name} is grey", fix="check --dataset, or make it grey"
        )
