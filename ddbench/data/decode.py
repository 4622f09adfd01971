"""Encoded pictures to uint8 pixels: decoded once, kept as a memory map that never has to fit in memory."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm import tqdm

from ddbench import artifact
from ddbench.data import content
from ddbench.data.pixels import GREY_MODES, Form, Picture, digest_of, look, read_pixels, sizes_differ
from ddbench.data.rawdata import not_square
from ddbench.errors import UserError

ABOUT = "decoded images"
DECODER = 2
"""Part of every cache's key: of a decoder that gives other pixels, nothing older is read."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Encoded images in order, read when needed."""

    what: str
    """How to call them in messages."""
    count: int
    """Number of images."""
    sample: Sequence[Picture]
    """A few of them, from which size and color of all are derived."""
    batches: Callable[[], Iterator[Sequence[Picture]]]
    """An iterator over all, from the start."""
    files: Sequence[str | Path] = ()
    """The files that hold them; while these stay as they are their hash is not computed again. Empty: it always is."""
    part: str = ""
    """Names which pictures of the files these are, where the files hold others too."""

    def rows(self, rows: Tensor) -> Pictures:
        """Take some pictures; they are read when needed.

        Args:
            rows: Ascending positions, (count,), int64.

        Returns:
            Those pictures.
        """
        chosen = rows.tolist()

        def batches() -> Iterator[Sequence[Picture]]:
            wanted, first = iter(chosen), 0
            row = next(wanted, None)
            for batch in self.batches():
                taken = []
                while row is not None and row < first + len(batch):
                    taken.append(batch[row - first])
                    row = next(wanted, None)
                first += len(batch)
                if taken:
                    yield taken
                if row is None:
                    return

        part = f"{self.part} rows {artifact.fingerprint(chosen)}"
        sample = next(batches(), [])
        return Pictures(what=self.what, count=len(chosen), sample=sample, batches=batches, files=self.files, part=part)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pixels of a set of pictures."""

    images: Tensor
    """(n, C, H, W) uint8, memory-mapped."""
    sha256: str
    """Of their bytes."""
    folder: Path
    """The folder of the cache."""
    transparent: int = 0
    """How many were composed on white, because they have transparent pixels."""


def common_form(pictures: Pictures, size: int | None) -> Form:
    """Derive the form of a set from its sample: grey where all of it is grey, of its own size where none is given.

    Args:
        pictures: The encoded images.
        size: Side in pixels to which images are resized; None for their own.

    Returns:
        Channels and size of every image.

    Raises:
        UserError: No size is given and the images differ in size or are not square, or one cannot be read.
    """
    looks = [look(picture) for picture in pictures.sample]
    channels = 1 if all(mode in GREY_MODES for mode, _ in looks) else 3
    if size is not None:
        return Form(channels, size, resize=True)
    width, height = looks[0][1]
    for picture, (_, size_of_picture) in zip(pictures.sample, looks, strict=True):
        if size_of_picture != (width, height):
            raise sizes_differ(picture.name, size_of_picture, (width, height))
    if width != height:
        raise not_square(pictures.what, width, height)
    return Form(channels, width, resize=False)


def decoded(pictures: Pictures, form: Form, home: Path, quiet: bool = False) -> Decoded:
    """Read the pixels of all pictures from the cache under ``home/data``, or decode them into it now.

    The cache is found by the hash of the encoded bytes, and its pixels are checked against theirs: what lies there is
    what would be decoded, whatever names and times the files have.

    Args:
        pictures: All of a split.
        form: What each becomes. Resizing squashes to a square, bilinear with antialiasing.
        home: Where caches are kept.
        quiet: Whether no progress is shown.

    Returns:
        The pixels, memory-mapped.

    Raises:
        UserError: An image cannot be read (the first is named), one changed meanwhile, or the disk has no room.
    """
    state = _state(pictures)
    hashed = _content(pictures, state, home, quiet)
    key = artifact.fingerprint(
        {"content": hashed, "channels": form.channels, "size": form.size, "upright": form.upright, "decoder": DECODER}
    )
    folder = home / "data" / key
    images_path, about_path = folder / "images.npy", folder / "about.json"
    shape = (pictures.count, form.channels, form.size, form.size)
    about = content.read_note(about_path) or {}
    if about.get("content") == hashed and isinstance(about.get("transparent"), int):
        cached = content.open_verified(images_path, shape, about.get("sha256"))
        if cached is not None:
            return Decoded(cached, about["sha256"], folder, about["transparent"])
    _require_disk_space(shape, home, pictures.what)
    try:
        digest, transparent = _write(images_path, shape, pictures, form, hashed, quiet)
    except UserError:
        content.drop_hint(home, state)
        raise
    described = {"of": pictures.what, "shape": list(shape), "content": hashed, "transparent": transparent}
    artifact.write_json(about_path, {"kind": ABOUT, "sha256": digest, **described})
    written = content.open_verified(images_path, shape, digest)
    if written is None:
        raise artifact.damaged(images_path, "it was changed while it was written")
    return Decoded(written, digest, folder, transparent)


def open_images(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Map a .npy file of bytes into memory, copied on write. Nothing is verified.

    Args:
        path: The file.
        shape: Its shape.

    Returns:
        The images, uint8; None where the file is no such array.
    """
    return content.open_array(path, shape)


def _state(pictures: Pictures) -> str | None:
    state = content.files_state(pictures.files)
    return None if state is None else hashlib.sha256(f"{state} {pictures.part}".encode()).hexdigest()


def _content(pictures: Pictures, state: str | None, home: Path, quiet: bool) -> str:
    """The hash of all encoded bytes in order: that of the hashes of the pictures, so that threads can compute it."""
    if (known := content.read_hint(home, state)) is not None:
        return known
    total, count = hashlib.sha256(), 0
    with ThreadPoolExecutor(_threads()) as pool, _progress(pictures, "hashing", quiet) as bar:
        for batch in pictures.batches():
            run = map if all(_tiny(picture) for picture in batch) else pool.map
            for digest in run(digest_of, batch):
                total.update(digest)
            count += len(batch)
            bar.update(len(batch))
    if count != pictures.count:
        raise _changed(pictures.what)
    if _state(pictures) == state:
        content.keep_hint(home, state, total.hexdigest())
    return total.hexdigest()


def _write(
    path: Path, shape: tuple[int, ...], pictures: Pictures, form: Form, hashed: str, quiet: bool
) -> tuple[str, int]:
    """Decode into a file. Returns the hash of the pixels, and how many pictures are transparent."""
    pixels, total = hashlib.sha256(), hashlib.sha256()
    written = transparent = 0
    with (
        artifact.replacing(path) as part,
        part.open("wb") as file,
        ThreadPoolExecutor(_threads()) as pool,
        _progress(pictures, "reading", quiet) as bar,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for batch in pictures.batches():
            decode = partial(read_pixels, form=form)
            # A few at a time: all pixels of a batch at a large size would not fit in memory.
            for some in _slices(batch, max(1, (1 << 26) // (shape[1] * shape[2] * shape[3]))):
                run = map if all(_tiny(picture) for picture in some) else pool.map
                for one in run(decode, some):
                    file.write(one.values)
                    pixels.update(one.values)
                    total.update(one.digest)
                    transparent += one.transparent
            written += len(batch)
            bar.update(len(batch))
        if written != shape[0] or total.hexdigest() != hashed:
            raise _changed(pictures.what)
    return pixels.hexdigest(), transparent


def _slices(batch: Sequence[Picture], count: int) -> Iterator[Sequence[Picture]]:
    left = iter(batch)
    while some := list(islice(left, count)):
        yield some


def _tiny(picture: Picture) -> bool:
    """Whether handing the image to another thread takes longer than decoding it."""
    return isinstance(picture.source, bytes) and len(picture.source) < 1 << 14


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _progress(pictures: Pictures, verb: str, quiet: bool) -> tqdm:
    return tqdm(
        total=pictures.count, desc=f"{verb} {pictures.what}", unit="image", leave=False, disable=True if quiet else None
    )


def _require_disk_space(shape: tuple[int, ...], home: Path, what: str) -> None:
    """Refuse images that do not fit on the disk once decoded, before the first is."""
    needed = int(np.prod(shape, dtype=object))
    there = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"the decoded images of {what} do not fit on the disk",
            f"they take {needed / 2**30:,.1f} GiB ({shape[0]:,} of {shape[1]} x {shape[2]} x {shape[3]} pixels), "
            f"and {free / 2**30:,.1f} GiB are free",
            f"in        {home / 'data'}",
            fix="choose a smaller size, free some space, or choose another folder with --home",
        )


def _changed(what: str) -> UserError:
    return UserError(f"{what} changed while it was read", fix="run the same command again")
