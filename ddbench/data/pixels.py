"""One encoded picture as uint8 pixels: bounded before it is decoded, turned upright, composed on white."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ddbench.errors import UserError
from ddbench.files.regular_file import read_regular, shown_path

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF", "GIF")
"""What is opened at all. Pillow knows more, some of which run other programs on the file, whatever its name ends in."""
GREY_MODES = ("1", "L", "LA")
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
MOST_PIXELS = 1 << 26
"""Of one picture, 67 million; the largest of ImageNet has 61 million. One limit for every decoder."""
MOST_BYTES = 1 << 28
"""Of one encoded picture."""
LARGE_PIXELS = 1 << 23
"""From here on pictures are decoded one at a time, so that several threads do not hold several such at once."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_one_large = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """One encoded image."""

    name: str
    """How to call it in messages."""
    source: Path | str | bytes
    """Its file or its bytes."""


@dataclass(frozen=True)
class Form:
    """Form that every image of a set gets."""

    channels: int
    """1 for grey, 3 for RGB."""
    size: int
    """Side of the square, in pixels."""
    resize: bool
    """Whether images of another size are resized; else they are refused."""
    upright: bool = True
    """Whether the orientation that a camera wrote beside the pixels (EXIF) is applied."""


@dataclass(frozen=True)
class Pixels:
    """One picture, decoded."""

    digest: bytes
    """SHA-256 of the encoded bytes, 32 bytes."""
    values: bytes
    """The pixels, (C, H, W) uint8."""
    transparent: bool
    """Whether some of it let white shine through."""


def encoded_bytes(picture: Picture) -> bytes:
    """Read the bytes of a picture.

    Args:
        picture: Its file or its bytes.

    Returns:
        At most MOST_BYTES bytes.

    Raises:
        UserError: As in ``read_regular``, or more than MOST_BYTES.
    """
    if not isinstance(picture.source, bytes):
        return read_regular(picture.source, "picture", most=MOST_BYTES, fix="replace or remove it")
    if len(picture.source) > MOST_BYTES:
        raise UserError(
            f"{picture.name} is too large for one image",
            f"size  {len(picture.source):,} bytes; at most {MOST_BYTES:,} are read",
            fix="replace or remove it",
        )
    return picture.source


def digest_of(picture: Picture) -> bytes:
    """Hash a picture's bytes, as in ``Pixels.digest``, without decoding it.

    Args:
        picture: Its file or its bytes.

    Returns:
        SHA-256, 32 bytes.
    """
    return hashlib.sha256(encoded_bytes(picture)).digest()


def read_pixels(picture: Picture, form: Form) -> Pixels:
    """Decode one picture.

    Args:
        picture: Its file or its bytes.
        form: Channels, size, and whether it may be resized (bilinear, antialiased, squashed to a square).

    Returns:
        Its pixels and the hash of the bytes they were decoded from.

    Raises:
        UserError: It is damaged, larger than MOST_PIXELS, deeper than 8 bits, in color where the set is grey, or of
            another size where it may not be resized.
    """
    content = encoded_bytes(picture)
    with _opened(picture.name, content) as image:
        if form.channels == 1 and image.mode not in GREY_MODES:
            raise UserError(
                f"{picture.name} is in color, unlike the images before it",
                fix="store all images of the set in one mode, grey or color",
            )
        if image.mode in DEEP_MODES:
            raise UserError(
                f"{picture.name} has more than 8 bits a channel (mode {image.mode})",
                fix="convert it to 8 bits a channel",
            )
        with _one_large if image.width * image.height > LARGE_PIXELS else nullcontext():
            pixels, transparent = _flattened(image, "L" if form.channels == 1 else "RGB")
            if form.upright and (turn := _turn(image)) is not None:
                pixels = pixels.transpose(turn)
            if pixels.size != (form.size, form.size):
                if not form.resize:
                    raise sizes_differ(picture.name, pixels.size, (form.size, form.size))
                pixels = pixels.resize((form.size, form.size), Image.Resampling.BILINEAR)
            array = np.asarray(pixels)
    values = array.tobytes() if form.channels == 1 else array.transpose(2, 0, 1).tobytes()
    return Pixels(hashlib.sha256(content).digest(), values, transparent)


def look(picture: Picture, upright: bool = True) -> tuple[str, tuple[int, int]]:
    """Read mode and size of a picture as it will be shown.

    Args:
        picture: Its file or its bytes.
        upright: Whether the orientation that a camera wrote is applied.

    Returns:
        Pillow's mode, and (width, height) in pixels.

    Raises:
        UserError: As in ``read_pixels``.
    """
    with _opened(picture.name, encoded_bytes(picture)) as image:
        width, height = image.size
        # Pillow turns TIFF files by itself, and tells their size as if it had.
        turned = upright and image.format != "TIFF" and _orientation(image) >= 5
        return image.mode, (height, width) if turned else (width, height)


@contextmanager
def _opened(name: str, content: bytes) -> Iterator[Image.Image]:
    """The picture, its header read.

    Raises:
        UserError: Whatever goes wrong inside, and for too many pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise too_many_pixels(name, image.size)
            yield image
    except (UserError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(
            f"{shown_path(name)} has too many pixels", f"at most {MOST_PIXELS:,} are decoded", fix="make it smaller"
        ) from None
    except Exception as error:  # a damaged picture can make the reader fail in any way
        raise UserError(
            f"{shown_path(name)} is not a readable image",
            f"why   {shown_path(' '.join(str(error).split()))}",
            fix="replace or remove it",
        ) from None


def too_many_pixels(name: str, size: tuple[int, int]) -> UserError:
    """Make the error for a picture that is not decoded because of its size.

    Args:
        name: How the picture is called.
        size: (width, height), in pixels.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{shown_path(name)} has too many pixels",
        f"found {size[0]:,} x {size[1]:,}, {size[0] * size[1]:,} pixels; at most {MOST_PIXELS:,} are decoded",
        fix="make it smaller, or remove it",
    )


def sizes_differ(name: str, size: tuple[int, int], first: tuple[int, int]) -> UserError:
    """Make the error for images of several sizes where none was given.

    Args:
        name: How the picture is called that differs.
        size: Its (width, height), in pixels.
        first: (width, height) of the others.

    Returns:
        The error, to be raised.
    """
    return UserError(
        "the images differ in size",
        f"{shown_path(name)} has {size[0]} x {size[1]} pixels, others have {first[0]} x {first[1]}",
        fix="set the dataset's size (in pixels): every image is then resized to a square of that side",
    )


def _flattened(image: Image.Image, mode: str) -> tuple[Image.Image, bool]:
    """The picture in this mode, composed on white where it is transparent, and whether it was."""
    if not image.has_transparency_data:
        return image.convert(mode), False
    layers = image.convert("RGBA")
    if layers.getchannel("A").getextrema()[0] == 255:
        return image.convert(mode) if image.mode != "P" else layers.convert(mode), False
    white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layers).convert(mode), True


def _turn(image: Image.Image) -> Image.Transpose | None:
    return _TURNS.get(_orientation(image))


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels may be whole where what stands beside them is damaged
        return 1
    return orientation if isinstance(orientation, int) else 1
