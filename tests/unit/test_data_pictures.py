"""Pictures as people have them: transparent, turned by a camera, in palettes; and pixels that stay as they were."""

import io
from pathlib import Path

import numpy as np
import pytest
from helpers.data_makers import pixels
from PIL import Image, ImageOps

from ddbench.data import load_dataset
from ddbench.data.pixels import Form, Picture, look, read_pixels
from ddbench.errors import UserError

RGB, GREY = Form(3, 8, resize=False), Form(1, 8, resize=False)


def stored(image: Image.Image, format: str = "PNG", **how) -> Picture:
    file = io.BytesIO()
    image.save(file, format, **how)
    return Picture("picture", file.getvalue())


def shown(picture: Picture, form: Form) -> np.ndarray:
    values = np.frombuffer(read_pixels(picture, form).values, np.uint8)
    return values.reshape(form.channels, form.size, form.size).transpose(1, 2, 0)


def on_white(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The definition: alpha parts of the color, the rest of white."""
    share = alpha[..., None].astype(float) / 255
    return color * share + 255 * (1 - share)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_composed_on_white(format):
    array = pixels(1, (8, 8, 4))
    array[0, :, 3], array[1, :, 3] = 0, 255
    picture = stored(
        Image.fromarray(array, "RGBA"), format, **({"lossless": True, "exact": True} if format == "WEBP" else {})
    )
    found = read_pixels(picture, RGB)
    assert found.transparent
    assert np.abs(shown(picture, RGB) - on_white(array[..., :3], array[..., 3])).max() <= 1
    assert (shown(picture, RGB)[0] == 255).all() and np.array_equal(shown(picture, RGB)[1], array[1, :, :3])


def test_grey_with_alpha_is_composed_too():
    array = pixels(2, (8, 8, 2))
    picture = stored(Image.fromarray(array, "LA"))
    assert np.abs(shown(picture, GREY)[..., 0] - on_white(array[..., :1], array[..., 1])[..., 0]).max() <= 1
    assert np.abs(shown(picture, RGB)[..., 2] - on_white(array[..., :1], array[..., 1])[..., 0]).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_transparent_color_of_a_palette_is_white(format):
    image = Image.fromarray(pixels(3, (8, 8)) % 4, "P")
    image.putpalette([250, 0, 0, 0, 200, 0, 0, 0, 150, 9, 9, 9] + [0] * 756)
    picture = stored(image, format, transparency=1)
    where = np.asarray(image)
    found = shown(picture, RGB)
    assert (found[where == 1] == 255).all() and (found[where == 0] == [250, 0, 0]).all()
    assert (where == 1).any() and (where == 0).any()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1"])
def test_pictures_without_transparent_pixels_are_as_they_were(mode):
    plain = Image.fromarray(pixels(4, (8, 8, 3)))
    image = plain.convert(mode)
    expected = np.asarray(image.convert("RGB"))
    found = read_pixels(stored(image), RGB)
    assert np.array_equal(shown(stored(image), RGB), expected) and not found.transparent


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_orientation_of_a_camera_is_applied(format, orientation):
    array = np.kron(pixels(5, (2, 4, 3)), np.ones((4, 4, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = stored(Image.fromarray(array), format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(picture.source))).convert("RGB")
    mode, size = look(picture)
    assert mode == "RGB" and size == upright.size == ((16, 8) if orientation < 5 else (8, 16))
    square = Form(3, 8, resize=True)
    assert np.array_equal(shown(picture, square), np.asarray(upright.resize((8, 8), Image.Resampling.BILINEAR)))
    if format != "TIFF":
        as_stored = Image.open(io.BytesIO(picture.source)).convert("RGB").resize((8, 8), Image.Resampling.BILINEAR)
        assert np.array_equal(shown(picture, Form(3, 8, resize=True, upright=False)), np.asarray(as_stored))


def test_damaged_exif_leaves_the_pixels():
    image = Image.fromarray(pixels(6, (8, 8, 3)))
    picture = stored(image, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")
    assert np.array_equal(shown(picture, RGB), np.asarray(image))


def write(root: Path, part: str, name: str, picture: Picture, suffix: str) -> None:
    path = root / part / name / f"0{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.source)


def test_what_was_composed_is_said_once_and_remembered(tmp_path):
    for part in ("train", "test"):
        for number, name in enumerate("ab"):
            array = pixels(number, (8, 8, 4))
            write(tmp_path / "set", part, name, stored(Image.fromarray(array, "RGBA")), ".png")
    for _ in range(2):  # decoded, then from the cache
        real = load_dataset(f"folder:{tmp_path / 'set'}", validation=0, home=tmp_path / "home", quiet=True)
        assert real.notes == ("4 of 4 images have transparent pixels: they are composed on white",)


def test_turned_images_of_one_size_need_no_size(tmp_path):
    """Half are stored lying down and turned by their orientation: as shown, all are alike."""
    wide, high = Image.fromarray(pixels(1, (8, 8, 3))), Image.fromarray(pixels(2, (8, 8, 3)))
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("train", "test"):
        write(tmp_path / "set", part, "a", stored(wide), ".png")
        write(tmp_path / "set", part, "b", stored(high, "JPEG", exif=exif, quality=95), ".jpg")
    real = load_dataset(
        f"folder:{tmp_path / 'set'}", validation=0, home=tmp_path / "home", quiet=True, preprocessing="identity"
    )
    file = Image.open(tmp_path / "set" / "train" / "b" / "0.jpg")
    assert np.array_equal(real.train.images[1].permute(1, 2, 0).numpy(), np.asarray(ImageOps.exif_transpose(file)))


def test_a_picture_may_not_be_of_another_size_once_it_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = stored(Image.fromarray(pixels(1, (8, 6, 3))), "JPEG", exif=exif)
    with pytest.raises(UserError, match="has 8 x 6 pixels"):
        read_pixels(picture, RGB)
