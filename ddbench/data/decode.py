"""Encoded pictures to uint8 pixels: decoded once, kept as a memory map that never has to fit in memory."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ddbench import artefact
from ddbench.data.rawdata import not_square
from ddbench.errors import UserError

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF", "GIF")
"""What is opened at all. Pillow knows more, some of which run other programs on the file, whatever its name ends in."""
GREY_MODES = ("1", "L", "LA")
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
ABOUT = "decoded images"


@dataclass(frozen=True)
class Picture:
    """One encoded image: what to call it in messages, and its file or its bytes."""

    name: str
    source: Path | bytes


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Encoded images in order, read when needed. stamp: a JSON document that changes whenever the images may have.

    sample: a few of them, from which size and colour of all are told. batches: an iterator over all, from the start.
    """

    what: str
    count: int
    stamp: Any
    sample: Sequence[Picture]
    batches: Callable[[], Iterator[Sequence[Picture]]]


@dataclass(frozen=True)
class Form:
    """What every image of a set becomes: channels (1 grey, 3 RGB), side in pixels, and whether it may be resized."""

    channels: int
    size: int
    resize: bool


@dataclass(frozen=True, eq=False)
class Decoded:
    """images: (n, C, H, W) uint8, memory-mapped. sha256: of their bytes. folder: where they are cached."""

    images: Tensor
    sha256: str
    folder: Path


def common_form(pictures: Pictures, size: int | None) -> Form:
    """The form of a set, told from its sample: grey where all of it is grey, of its own size where none is given.

    Errors: UserError when no size is given and the images differ in size or are not square, or one cannot be read.
    """
    looks = [_look(picture) for picture in pictures.sample]
    channels = 1 if all(mode in GREY_MODES for mode, _ in looks) else 3
    if size is not None:
        return Form(channels, size, resize=True)
    width, height = looks[0][1]
    for picture, (_, found) in zip(pictures.sample, looks, strict=True):
        if found != (width, height):
            raise _sizes_differ(picture.name, found, (width, height))
    if width != height:
        raise not_square(pictures.what, width, height)
    return Form(channels, width, resize=False)


def decoded(pictures: Pictures, form: Form, home: Path, quiet: bool = False) -> Decoded:
    """The pixels of all pictures, from the cache under ``home/data`` or decoded into it now.

    Resizing squashes to a square, bilinear with antialiasing. Errors: UserError naming the first unreadable image.
    """
    key = artefact.fingerprint({"of": pictures.stamp, "channels": form.channels, "size": form.size})
    folder = home / "data" / key
    images_path, about_path = folder / "images.npy", folder / "about.json"
    shape = (pictures.count, form.channels, form.size, form.size)
    if about_path.is_file() and (found := open_images(images_path, shape)) is not None:
        return Decoded(found, artefact.read_json(about_path, ABOUT)["sha256"], folder)
    digest = _write(images_path, shape, pictures, form, quiet)
    artefact.write_json(about_path, {"kind": ABOUT, "of": pictures.what, "shape": list(shape), "sha256": digest})
    written = open_images(images_path, shape)
    if written is None:
        raise artefact.damaged(images_path, "it was changed while it was written")
    return Decoded(written, digest, folder)


def open_images(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """A memory map of a .npy file of this shape, copied on write so that the file never changes; None if it is not."""
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(array) if array.shape == shape else None


def _write(path: Path, shape: tuple[int, ...], pictures: Pictures, form: Form, quiet: bool) -> str:
    digest = hashlib.sha256()
    written = 0
    with (
        artefact.replacing(path) as part,
        part.open("wb") as file,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        tqdm(total=shape[0], desc=f"reading {pictures.what}", unit="image", disable=True if quiet else None) as bar,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for batch in pictures.batches():
            run = map if all(_tiny(picture) for picture in batch) else pool.map
            pixels = b"".join(run(partial(_pixels, form=form), batch))
            file.write(pixels)
            digest.update(pixels)
            written += len(batch)
            bar.update(len(batch))
    if written != shape[0]:
        raise UserError(f"{pictures.what} changed while it was read", fix="run the same command again")
    return digest.hexdigest()


def _tiny(picture: Picture) -> bool:
    """Whether handing the image to another thread takes longer than decoding it."""
    return isinstance(picture.source, bytes) and len(picture.source) < 1 << 14


def _pixels(picture: Picture, form: Form) -> bytes:
    try:
        with _opened(picture) as image:
            if form.channels == 1 and image.mode not in GREY_MODES:
                raise UserError(
                    f"{picture.name} is in colour, unlike the images before it",
                    fix="store all images of the set in one mode, grey or colour",
                )
            _refuse_deep(picture.name, image.mode)
            pixels = image.convert("L" if form.channels == 1 else "RGB")
    except UNREADABLE as error:
        raise _unreadable(picture.name, error) from None
    if pixels.size != (form.size, form.size):
        if not form.resize:
            raise _sizes_differ(picture.name, pixels.size, (form.size, form.size))
        pixels = pixels.resize((form.size, form.size), Image.Resampling.BILINEAR)
    array = np.asarray(pixels)
    return array.tobytes() if form.channels == 1 else array.transpose(2, 0, 1).tobytes()


def _look(picture: Picture) -> tuple[str, tuple[int, int]]:
    try:
        with _opened(picture) as image:
            return image.mode, image.size
    except UNREADABLE as error:
        raise _unreadable(picture.name, error) from None


def _opened(picture: Picture) -> Image.Image:
    source = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else picture.source
    return Image.open(source, formats=FORMATS)


def _refuse_deep(name: str, mode: str) -> None:
    if mode in DEEP_MODES:
        raise UserError(f"{name} has more than 8 bits a channel (mode {mode})", fix="convert it to 8 bits a channel")


def _unreadable(name: str, error: BaseException) -> UserError:
    return UserError(f"{name} is not a readable image", f"why   {error}", fix="replace or remove it")


def _sizes_differ(name: str, found: tuple[int, int], first: tuple[int, int]) -> UserError:
    return UserError(
        "the images differ in size",
        f"{name} has {found[0]} x {found[1]} pixels, others have {first[0]} x {first[1]}",
        fix="set the dataset's size (in pixels): every image is then resized to a square of that side",
    )
