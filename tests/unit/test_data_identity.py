"""Caches that are found by content: equal names, sizes and times never stand for equal pixels, damage is noticed."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.data_makers import pixels, write_folder, write_image, write_parquet

from ddbench.data import RealSet, content, decode, fitting, load_dataset, split
from ddbench.errors import UserError

OLD = (315532800, 315532800)


def load(name: str, tmp_path: Path, **choice) -> RealSet:
    settings = {"validation": 0, "preprocessing": "identity", "home": tmp_path / "home", "quiet": True, **choice}
    return load_dataset(name, **settings)


def write_ppm(root: Path, seed: int) -> np.ndarray:
    """Two classes in train and test, in a format whose files all have the same length, and with the same old times."""
    images = {}
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate("ab"):
            for number in range(count):
                array = pixels(seed + 100 * label + number + (50 if part == "test" else 0), (6, 6, 3))
                write_image(root / part / name / f"{number}.ppm", array)
                os.utime(root / part / name / f"{number}.ppm", OLD)
                images[part, name, number] = array
    return np.stack([images["train", name, number].transpose(2, 0, 1) for name in "ab" for number in range(4)])


@pytest.fixture
def settled(monkeypatch):
    """Lets files count as settled at once, so that what their state stands for is kept."""
    monkeypatch.setattr(content, "SETTLED_NS", -(10**9))


@pytest.mark.parametrize("hints", [True, False])
def test_equal_names_sizes_and_times_do_not_stand_for_equal_pixels(tmp_path, monkeypatch, hints):
    monkeypatch.setattr(content, "SETTLED_NS", -(10**9) if hints else 2 * 10**9)
    first, second = write_ppm(tmp_path / "one" / "set", 1), write_ppm(tmp_path / "two" / "set", 7)
    assert not np.array_equal(first, second)
    for folder, expected in (("one", first), ("two", second)):
        assert np.array_equal(load(f"folder:{tmp_path / folder / 'set'}", tmp_path).train.images.numpy(), expected)


def test_a_change_in_place_with_times_kept_is_noticed(tmp_path, settled):
    write_ppm(tmp_path / "set", 1)
    before = load(f"folder:{tmp_path / 'set'}", tmp_path)
    file = tmp_path / "set" / "train" / "a" / "0.ppm"
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    with file.open("r+b") as stream:
        stream.write(data)
    os.utime(file, OLD)
    after = load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert (after.train.images != before.train.images).sum() == 1 and after.fingerprint != before.fingerprint


def test_a_copy_elsewhere_shares_the_cache_and_the_fingerprint(tmp_path):
    write_ppm(tmp_path / "one" / "set", 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    found = [load(f"folder:{tmp_path / context / 'set'}", tmp_path) for context in ("one", "two")]
    assert found[0].fingerprint == found[1].fingerprint
    assert len(list((tmp_path / "home" / "data").glob("*/images.npy"))) == 2, "one for train, one for test"


def test_files_that_stay_as_they_are_are_not_read_again(tmp_path, settled, monkeypatch):
    write_ppm(tmp_path / "set", 1)
    first = load(f"folder:{tmp_path / 'set'}", tmp_path)
    read = []
    monkeypatch.setattr(decode, "digest_of", lambda picture: read.append(picture))
    monkeypatch.setattr(decode, "read_pixels", lambda picture, form: read.append(picture))
    again = load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert not read and again.fingerprint == first.fingerprint


def test_files_that_have_just_changed_are_read_again(tmp_path, monkeypatch):
    write_ppm(tmp_path / "set", 1)
    load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert not (tmp_path / "home" / "data" / "hints").exists()
    old = time.time_ns() + 10 * content.SETTLED_NS
    monkeypatch.setattr(content.time, "time_ns", lambda: old)
    load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert len(list((tmp_path / "home" / "data" / "hints").iterdir())) == 2


def test_no_state_is_trusted_where_the_system_keeps_none(tmp_path, monkeypatch, settled):
    (tmp_path / "file").write_bytes(b"x")
    assert content.files_state([tmp_path / "file"]) and not content.files_state([])
    monkeypatch.setattr(content.os, "name", "nt")
    assert content.files_state([str(tmp_path / "file")]) is None


def test_parquet_files_of_equal_size_and_time_are_told_apart(tmp_path, settled):
    expected = []
    for seed, context in ((1, "one"), (2, "two")):
        images = np.full((4, 4, 4, 3), 40 * seed, np.uint8)
        write_parquet(tmp_path / context / "set" / "train.parquet", images, [0, 1, 0, 1])
        write_parquet(tmp_path / context / "set" / "test.parquet", images[:2], [0, 1])
        os.utime(tmp_path / context / "set" / "train.parquet", OLD)
        expected.append(images)
    for context, images in zip(("one", "two"), expected, strict=True):
        found = load(f"parquet:{tmp_path / context / 'set'}", tmp_path).train.images
        assert np.array_equal(found.numpy(), images.transpose(0, 3, 1, 2))


def damage(path: Path) -> None:
    """Flip one bit in the middle of the values of an array, as a disk does."""
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.unlink()  # maps that are still open keep the old file
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["pixels", "about", "empty about", "other about"])
def test_a_damaged_cache_is_made_anew(tmp_path, what):
    expected = write_ppm(tmp_path / "set", 1)
    load(f"folder:{tmp_path / 'set'}", tmp_path)
    for folder in (path.parent for path in (tmp_path / "home" / "data").glob("*/images.npy")):
        if what == "pixels":
            damage(folder / "images.npy")
        else:
            text = {"about": "{", "empty about": "", "other about": '["a list"]'}[what]
            (folder / "about.json").write_text(text)
    assert np.array_equal(load(f"folder:{tmp_path / 'set'}", tmp_path).train.images.numpy(), expected)
    for about in (tmp_path / "home" / "data").glob("*/about.json"):
        assert json.loads(about.read_text())["sha256"]


def test_a_large_cache_is_compared_with_its_hash_when_its_file_has_changed(tmp_path, monkeypatch, settled):
    monkeypatch.setattr(content, "ALWAYS_HASHED", 10)
    path, array = tmp_path / "images.npy", pixels(1, (4, 3, 5, 5))
    np.save(path, array)
    digest = content.array_sha256(torch.from_numpy(array))
    computed = []
    hashed = content.array_sha256
    monkeypatch.setattr(content, "array_sha256", lambda found: computed.append(1) or hashed(found))
    for _ in range(2):
        monkeypatch.setattr(content, "_verified", set())  # as another process
        assert torch.equal(content.open_verified(path, array.shape, digest), torch.from_numpy(array))
    assert len(computed) == 1
    damage(path)
    assert content.open_verified(path, array.shape, digest) is None and len(computed) == 2


def test_damaged_rows_are_taken_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(split, "IN_MEMORY_BYTES", 10)
    images, rows = torch.from_numpy(pixels(1, (9, 3, 4, 4))), torch.tensor([0, 2, 3])
    split.take_rows(images, rows, tmp_path)
    (file,) = tmp_path.glob("*.npy")
    damage(file)
    assert torch.equal(split.take_rows(images, rows, tmp_path), images[rows])
    file.with_suffix(".json").write_text("{")
    assert torch.equal(split.take_rows(images, rows, tmp_path), images[rows])


def test_a_damaged_whitening_is_fitted_anew(tmp_path):
    images = torch.from_numpy(pixels(1, (40, 1, 3, 3)))
    given = {"fitted_on": "x", "constants": None, "home": tmp_path, "quiet": True}
    first = fitting.fit_preprocessing("zca", images, **given)
    (file,) = (tmp_path / "preprocessing").iterdir()
    whole = file.read_bytes()
    for broken in (whole[:-9], whole[:-4] + b"\0\0\0\1", b""):
        file.write_bytes(broken)
        again = fitting.fit_preprocessing("zca", images, **given)
        assert torch.equal(first.W, again.W) and file.read_bytes() == whole


def test_an_image_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    write_folder(tmp_path / "set" / "train", {"a": 3, "b": 3})
    write_folder(tmp_path / "set" / "test", {"a": 1, "b": 1})
    decoder = decode.read_pixels

    def changing(picture, form):
        write_image(tmp_path / "set" / "train" / "b" / "002.png", pixels(99, (6, 6, 3)))
        return decoder(picture, form)

    with monkeypatch.context() as patch:
        patch.setattr(decode, "read_pixels", changing)
        with pytest.raises(UserError, match="changed while it was read"):
            load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert not list((tmp_path / "home").rglob("images.npy"))
    assert len(load(f"folder:{tmp_path / 'set'}", tmp_path).train) == 6


def test_images_that_do_not_fit_on_the_disk_are_refused_first(tmp_path, monkeypatch):
    write_ppm(tmp_path / "set", 1)
    monkeypatch.setattr(decode.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 10**8))
    with pytest.raises(UserError, match="do not fit on the disk"):
        load(f"folder:{tmp_path / 'set'}", tmp_path, size=4096)
    assert len(load(f"folder:{tmp_path / 'set'}", tmp_path).train) == 8


def test_arrays_that_do_not_fit_in_memory_are_refused_first(tmp_path):
    with pytest.raises(UserError, match="do(es)? not fit in memory"):
        load("digits", tmp_path, size=4096)
