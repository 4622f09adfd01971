"""The cache of decoded images: exact pixels, decoded once, whole or absent, and errors that name the file."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.data_makers import encoded, pixels, write_folder, write_image
from PIL import Image

from ddbench import artifact
from ddbench.data import decode
from ddbench.data.folder_listing import image_files, list_classes, subfolders
from ddbench.data.image_folder import pictures_of
from ddbench.errors import UserError


def pictures(root: Path) -> decode.Pictures:
    names = subfolders(root)
    return pictures_of(list_classes([(root / name, label) for label, name in enumerate(names)], "set"), root, "set")


def read(root: Path, home: Path, size: int | None = None) -> decode.Decoded:
    found = pictures(root)
    return decode.decoded(found, decode.common_form(found, size), home, quiet=True)


def test_pixels_are_those_of_the_files(tmp_path):
    expected = write_folder(tmp_path / "set", {"a": 3, "b": 2})
    found = read(tmp_path / "set", tmp_path / "home")
    assert found.images.dtype == torch.uint8
    assert np.array_equal(found.images.numpy(), expected)
    assert found.images.max() > 0
    assert found.sha256 == artifact.hashlib.sha256(expected.tobytes()).hexdigest()


def test_images_are_decoded_once_and_again_when_a_file_changes(tmp_path, monkeypatch):
    write_folder(tmp_path / "set", {"a": 2, "b": 2})
    first = read(tmp_path / "set", tmp_path / "home")
    with monkeypatch.context() as patch:
        patch.setattr(decode, "read_pixels", lambda *_, **__: pytest.fail("decoded again"))
        again = read(tmp_path / "set", tmp_path / "home")
    assert torch.equal(first.images, again.images) and first.sha256 == again.sha256
    changed = tmp_path / "set" / "a" / "000.png"
    write_image(changed, pixels(99, (6, 6, 3)))
    os.utime(changed, ns=(1, 1))
    assert not torch.equal(read(tmp_path / "set", tmp_path / "home").images, first.images)


def test_a_cut_cache_is_made_anew(tmp_path):
    expected = write_folder(tmp_path / "set", {"a": 2, "b": 2})
    first = read(tmp_path / "set", tmp_path / "home")
    cache = first.folder / "images.npy"
    data = cache.read_bytes()
    cache.unlink()
    cache.write_bytes(data[:-5])
    assert np.array_equal(read(tmp_path / "set", tmp_path / "home").images.numpy(), expected)


def test_the_map_can_be_written_but_the_file_stays(tmp_path):
    expected = write_folder(tmp_path / "set", {"a": 2})
    read(tmp_path / "set", tmp_path / "home").images.zero_()
    assert np.array_equal(read(tmp_path / "set", tmp_path / "home").images.numpy(), expected)


def test_resizing_squashes_bilinearly(tmp_path):
    array = pixels(4, (10, 6, 3))
    write_image(tmp_path / "set" / "a" / "0.png", array)
    found = read(tmp_path / "set", tmp_path / "home", size=4)
    expected = np.asarray(Image.fromarray(array).resize((4, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(found.images[0].permute(1, 2, 0).numpy(), expected)


def test_grey_sets_have_one_channel_and_mixed_ones_three(tmp_path):
    grey = pixels(1, (5, 5))
    write_image(tmp_path / "grey" / "a" / "0.png", grey)
    assert torch.equal(read(tmp_path / "grey", tmp_path / "home").images[0, 0], torch.from_numpy(grey))
    write_image(tmp_path / "mixed" / "a" / "0.png", grey)
    write_image(tmp_path / "mixed" / "a" / "1.png", pixels(2, (5, 5, 3)))
    assert read(tmp_path / "mixed", tmp_path / "home").images.shape == (2, 3, 5, 5)


def test_sizes_that_differ_ask_for_a_size(tmp_path):
    write_image(tmp_path / "set" / "a" / "0.png", pixels(1, (5, 5, 3)))
    write_image(tmp_path / "set" / "a" / "1.png", pixels(2, (6, 6, 3)))
    with pytest.raises(UserError, match="differ in size") as caught:
        read(tmp_path / "set", tmp_path / "home")
    assert "1.png" in str(caught.value) and "set the dataset's size" in caught.value.fix
    assert read(tmp_path / "set", tmp_path / "home", size=4).images.shape == (2, 3, 4, 4)


def test_images_that_are_not_square_ask_for_a_size(tmp_path):
    write_image(tmp_path / "set" / "a" / "0.png", pixels(1, (5, 7, 3)))
    with pytest.raises(UserError, match="not square"):
        read(tmp_path / "set", tmp_path / "home")


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_corrupt_image_is_named_and_nothing_is_left(tmp_path, damage):
    write_folder(tmp_path / "set", {"a": 2, "b": 90}, size=(16, 16))
    broken = tmp_path / "set" / "b" / "044.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"no image")
    with pytest.raises(UserError, match="is not a readable image") as caught:
        read(tmp_path / "set", tmp_path / "home")
    assert str(broken) in str(caught.value)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_deep_images_are_refused(tmp_path):
    write_image(tmp_path / "set" / "a" / "0.png", pixels(1, (5, 5)).astype(np.uint16) * 200)
    with pytest.raises(UserError, match="more than 8 bits"):
        read(tmp_path / "set", tmp_path / "home")


def test_large_bytes_are_decoded_by_threads_in_order(tmp_path):
    arrays = [pixels(seed, (90, 90, 3)) for seed in range(5)]
    batch = [decode.Picture(str(row), encoded(array)) for row, array in enumerate(arrays)]
    assert len(batch[0].source) > 1 << 14
    given = decode.Pictures(what="set", count=5, sample=batch, batches=lambda: iter([batch]))
    found = decode.decoded(given, decode.common_form(given, None), tmp_path, quiet=True)
    assert np.array_equal(found.images.numpy(), np.stack(arrays).transpose(0, 3, 1, 2))


def test_hidden_files_and_other_endings_are_left_out(tmp_path):
    write_folder(tmp_path / "set", {"a": 2})
    for name in ("._000.png", "notes.txt"):
        (tmp_path / "set" / "a" / name).write_text("not an image")
    assert len(image_files(tmp_path / "set" / "a")) == 2


def test_postscript_is_no_picture_whatever_its_name(tmp_path, monkeypatch):
    """Pillow would hand it to Ghostscript, a program outside."""
    ran = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *given, **more: ran.append(given))
    write_folder(tmp_path / "set", {"cats": 1})
    (tmp_path / "set" / "cats" / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n%%EndComments\n%%EOF\n"
    )
    with pytest.raises(UserError, match=r"a\.jpg"):
        read(tmp_path / "set", tmp_path / "home")
    assert not ran
