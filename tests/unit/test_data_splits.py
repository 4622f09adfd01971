"""Splits: what their names mean in every source, what is tested on, and the check that every set passes."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.data_makers import pixels, small_known, write_folder, write_image, write_parquet

from ddbench.data import RealSet, load_dataset
from ddbench.data.known_sets import KNOWN
from ddbench.data.split import stratified_holdout
from ddbench.data.split_names import role_of, role_of_file
from ddbench.errors import UserError

COUNTS = {"train": 12, "val": 4, "valid": 4, "validation": 4, "test": 6}


def load(name: str, tmp_path: Path, **choice) -> RealSet:
    settings = {"validation": 0, "preprocessing": "identity", "home": tmp_path / "home", "quiet": True, **choice}
    return load_dataset(name, **settings)


def write(source: str, root: Path, parts: list[str], labeled: tuple[str, ...] = ()) -> str:
    """A set of two classes with these splits; of those not in ``labeled``, where it is given, labels are left out."""
    arrays = {}
    for number, part in enumerate(parts):
        images = pixels(number, (2 * COUNTS.get(part, 5), 6, 6, 3))
        labels = [0, 1] * (len(images) // 2)
        known = not labeled or part in labeled
        if source == "folder":
            for row, image in enumerate(images):
                write_image(root / part / ("ab"[labels[row]] if known else "") / f"{row:03d}.png", image)
        elif source == "parquet":
            write_parquet(root / f"{part}-00000-of-00001.parquet", images, labels if known else [-1] * len(labels))
        elif source == "config":
            write_parquet(root / "default" / part / "0000.parquet", images, labels if known else [-1] * len(labels))
        else:
            arrays |= {f"x_{part}": images, f"y_{part}": np.array(labels if known else [-1] * len(labels))}
    if arrays:
        root.mkdir(parents=True)
        np.savez(root / "set.npz", **arrays)
        return f"npz:{root / 'set.npz'}"
    return f"{'folder' if source == 'folder' else 'parquet'}:{root}"


SOURCES = ["folder", "parquet", "config", "npz"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_split_is_the_test_split_where_there_is_no_other(tmp_path, source, name):
    real = load(write(source, tmp_path / "set", ["train", name]), tmp_path, validation=0.25)
    assert (len(real.train), len(real.validation), len(real.test)) == (18, 6, 8)
    assert np.array_equal(real.test.images[0].numpy(), first_image(source, 1, 8)), "none of train"
    assert f"of {name}" in real.splits.replace("default/", "").replace("x_", "") and "24 images" in real.splits
    assert any("is the test split" in note for note in real.notes)


def first_image(source: str, seed: int, count: int) -> np.ndarray:
    """The first of the images of a split, which a folder sorts by class."""
    return pixels(seed, (count, 6, 6, 3))[0].transpose(2, 0, 1)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_split_beside_a_test_split_is_used_as_one(tmp_path, source, name):
    where = write(source, tmp_path / "set", ["train", name, "test"])
    real = load(where, tmp_path, validation=0.25)
    assert (len(real.train), len(real.validation), len(real.test)) == (24, 8, 12)
    assert np.array_equal(real.validation.images[0].numpy(), first_image(source, 1, 8))
    assert "validation 8 images" in real.splits and "held" not in real.splits
    without = load(where, tmp_path, validation=0)
    assert (len(without.train), len(without.validation), len(without.test)) == (24, 0, 12)
    assert any("is not used" in note for note in without.notes)
    assert without.fingerprint != real.fingerprint


@pytest.mark.parametrize("source", SOURCES)
def test_without_a_test_split_the_same_fifth_is_held_out(tmp_path, source):
    where = write(source, tmp_path / "set", ["train"])
    one, other = (load(where, tmp_path, seed=seed) for seed in (0, 1))
    assert (len(one.train), len(one.test)) == (20, 4) and one.test.labels.bincount().tolist() == [2, 2]
    assert torch.equal(one.test.images, other.test.images)
    everything = torch.cat([one.train.images, one.test.images]).flatten(1)
    expected = pixels(0, (24, 6, 6, 3)).transpose(0, 3, 1, 2).reshape(24, -1)
    assert {row.tobytes() for row in everything.numpy()} == {row.tobytes() for row in expected}
    assert "held out of" in real_line(one)


def real_line(real: RealSet) -> str:
    return real.splits


@pytest.mark.parametrize("source", SOURCES)
def test_a_test_split_without_labels_is_none(tmp_path, source):
    real = load(write(source, tmp_path / "set", ["train", "val", "test"], ("train", "val")), tmp_path)
    assert (len(real.train), len(real.test)) == (24, 8)
    assert any("no labels" in note for note in real.notes)
    alone = load(write(source, tmp_path / "alone", ["train", "test"], ("train",)), tmp_path)
    assert (len(alone.train), len(alone.test)) == (20, 4)


@pytest.mark.parametrize("source", SOURCES)
def test_two_names_of_one_split_are_refused(tmp_path, source):
    where = write(source, tmp_path / "set", ["train", "val", "valid", "test"])
    if source in ("folder", "npz"):
        with pytest.raises(UserError, match="two validation splits"):
            load(where, tmp_path)
    else:
        assert len(load(where, tmp_path, validation=0.1).validation) == 16, "files are joined, as shards are"


def test_names_of_splits():
    assert [role_of(name) for name in ("Train", "training", "VAL", "testing", "extra")] == [
        "train",
        "train",
        "validation",
        "test",
        None,
    ]
    names = ("train-00000-of-00002", "test", "validation_1", "valid", "birds-test", "part-0")
    assert [role_of_file(name) for name in names] == ["train", "test", "validation", "validation", "test", None]


def test_what_lies_beside_the_splits_is_said(tmp_path):
    where = write("folder", tmp_path / "set", ["train", "test"])
    write_folder(tmp_path / "set" / "unsupervised", {"a": 1})
    (tmp_path / "set" / "__MACOSX").mkdir()
    (tmp_path / "set" / "train" / "__MACOSX").mkdir()
    (tmp_path / "set" / "train" / "__MACOSX" / "._000.png").write_bytes(b"x")
    real = load(where, tmp_path)
    assert real.class_names == ("a", "b") and len(real.notes) == 1 and real.notes[0].startswith("unsupervised/")


def test_the_line_on_splits(tmp_path):
    real = load(write("folder", tmp_path / "set", ["train", "valid"]), tmp_path, validation=0.25)
    assert real.splits == "train 24 images of train/ (6 of them held back for validation), test 8 images of valid/"


@pytest.mark.parametrize("source", SOURCES)
def test_every_class_is_in_train_and_test(tmp_path, source):
    root = tmp_path / "set"
    images = pixels(1, (6, 6, 6, 3))
    parts = {"train": [0, 1, 2, 0, 1, 2], "test": [0, 1, 0, 1, 0, 1]}
    if source == "folder":
        for part, labels in parts.items():
            for row, label in enumerate(labels):
                write_image(root / part / "abc"[label] / f"{row}.png", images[row])
        where = f"folder:{root}"
    elif source == "npz":
        root.mkdir()
        arrays = {f"{kind}_{part}": v for part, y in parts.items() for kind, v in (("x", images), ("y", np.array(y)))}
        np.savez(root / "set.npz", **arrays)
        where = f"npz:{root / 'set.npz'}"
    else:
        for part, labels in parts.items():
            below = f"default/{part}/0.parquet" if source == "config" else f"{part}.parquet"
            write_parquet(root / below, images, labels)
        where = f"parquet:{root}"
    with pytest.raises(UserError, match="1 of the 3 classes") as caught:
        load(where, tmp_path)
    assert ("'c'" if source == "folder" else "'2'") in str(caught.value)


def test_a_class_of_one_image_cannot_be_held_out_of(tmp_path):
    write_folder(tmp_path / "set" / "train", {"a": 10, "b": 1})
    with pytest.raises(UserError, match=r"'b'(.|\n)*two images or more"):
        load(f"folder:{tmp_path / 'set'}", tmp_path)
    write_folder(tmp_path / "more" / "train", {"a": 30, "b": 2})
    assert load(f"folder:{tmp_path / 'more'}", tmp_path).test.labels.bincount().tolist() == [6, 1]


def test_small_classes_give_one_each_where_they_are_asked_to():
    labels = torch.tensor([0] * 100 + [1] * 2 + [2])
    assert labels[stratified_holdout(labels, 20, 0)[1]].bincount(minlength=3).tolist() == [20, 0, 0]
    assert labels[stratified_holdout(labels, 20, 0, least=1)[1]].bincount(minlength=3).tolist() == [20, 1, 0]


def test_a_validation_split_may_lack_a_class_which_is_said(tmp_path):
    for part, names in (("train", "ab"), ("val", "a"), ("test", "ab")):
        write_folder(tmp_path / "set" / part, dict.fromkeys(names, 4))
    real = load(f"folder:{tmp_path / 'set'}", tmp_path, validation=0.1)
    assert len(real.validation) == 4 and any("'b'" in note for note in real.notes)


def hub_of(monkeypatch, parts: dict[str, list[int]]) -> None:
    """Stands for the library ``datasets``, with one set of these splits and labels."""
    from test_data_arrays import FakeSplit

    made = {name: FakeSplit(pixels(n, (len(y), 5, 5, 3)), y) for n, (name, y) in enumerate(parts.items())}
    library = SimpleNamespace(
        load_dataset=lambda name, cache_dir: made, disable_progress_bars=lambda: None, Image=lambda decode: None
    )
    monkeypatch.setitem(sys.modules, "datasets", library)


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ({"train": 10, "validation": 4, "test": 6}, (10, 4, 6)),
        ({"train": 10, "valid": 4}, (8, 2, 4)),
        ({"train": 10, "val": 4, "test": -6}, (8, 2, 4)),
        ({"train": 20, "unsupervised": 2}, (13, 3, 4)),
    ],
)
def test_splits_of_the_hub_mean_the_same(tmp_path, monkeypatch, parts, sizes):
    hub_of(monkeypatch, {name: [0, 1] * (n // 2) if n > 0 else [-1] * -n for name, n in parts.items()})
    real = load("hub:org/pets", tmp_path, validation=0.2)
    assert (len(real.train), len(real.validation), len(real.test)) == sizes
    assert any("unsupervised" in note for note in real.notes) == ("unsupervised" in parts)


def test_an_empty_class_folder_is_named_and_so_is_a_single_class(tmp_path):
    write_folder(tmp_path / "set" / "train", {"a": 5, "b": 5})
    (tmp_path / "set" / "train" / "dog" / "puppies").mkdir(parents=True)
    with pytest.raises(UserError, match="dog has no images") as caught:
        load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert "puppies" in str(caught.value)
    write_folder(tmp_path / "one" / "train", {"a": 9})
    with pytest.raises(UserError, match="of one class"):
        load(f"folder:{tmp_path / 'one'}", tmp_path)


def test_folders_that_are_numbers_are_sorted_as_numbers(tmp_path):
    expected = []
    for number in range(12):
        for part in ("train", "test"):
            array = np.full((4, 4, 3), 20 * number, np.uint8)
            write_image(tmp_path / "set" / part / str(number) / "0.png", array)
        expected.append(20 * number)
    real = load(f"folder:{tmp_path / 'set'}", tmp_path)
    assert real.class_names == tuple(str(number) for number in range(12))
    assert real.train.images[:, 0, 0, 0].tolist() == expected and real.train.labels.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("labels", "message", "fix"),
    [
        ([1, 2, 3], "begin at 1", "y = y - 1"),
        ([0, 1, 3], "have gaps", "np.unique"),
        ([-1, 0, 1], "no label", "leave them out"),
        ([0, 1, 10**12], "have gaps", "np.unique"),
        ([0, 0, 0], "of one class", "two classes"),
    ],
)
@pytest.mark.parametrize("source", ["npz", "parquet"])
def test_labels_are_0_to_c_without_a_gap(tmp_path, source, labels, message, fix):
    images, labels = pixels(1, (6, 5, 5, 3)), labels * 2
    if source == "npz":
        np.savez(tmp_path / "set.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
        where = f"npz:{tmp_path / 'set.npz'}"
    else:
        for part in ("train", "test"):
            write_parquet(tmp_path / "set" / f"{part}.parquet", images, labels)
        where = f"parquet:{tmp_path / 'set'}"
    with pytest.raises(UserError, match=message) as caught:
        load(where, tmp_path)
    assert fix in caught.value.fix


def test_a_file_stands_for_its_folder_or_is_all_there_is(tmp_path):
    write("parquet", tmp_path / "set", ["train", "test"])
    folder = load(f"parquet:{tmp_path / 'set'}", tmp_path)
    file = load(f"parquet:{tmp_path / 'set' / 'train-00000-of-00001.parquet'}", tmp_path)
    assert file.fingerprint == folder.fingerprint and "beside it" in file.notes[0]
    (tmp_path / "set" / "test-00000-of-00001.parquet").unlink()
    (tmp_path / "set" / "train-00000-of-00001.parquet").rename(tmp_path / "set" / "birds.parquet")
    alone = load(f"parquet:{tmp_path / 'set' / 'birds.parquet'}", tmp_path)
    assert (alone.name, len(alone.train), len(alone.test)) == ("parquet-birds", 20, 4)


def test_of_several_configurations_one_must_be_named(tmp_path):
    for name in ("large", "small"):
        write("parquet", tmp_path / "set" / name, ["train", "test"])
    with pytest.raises(UserError, match="several sets") as caught:
        load(f"parquet:{tmp_path / 'set'}", tmp_path)
    assert caught.value.fix.endswith("set/large")
    assert len(load(f"parquet:{tmp_path / 'set' / 'small'}", tmp_path).train) == 24


def test_a_known_name_has_known_counts(tmp_path, monkeypatch):
    images = pixels(1, (20, 32, 32, 3))
    for part in ("train", "test"):
        write_parquet(tmp_path / "cifar10-jpeg" / f"{part}.parquet", images, list(range(10)) * 2)
    with pytest.raises(UserError, match="not cifar10-jpeg as it is known") as caught:
        load("cifar10-jpeg", tmp_path, data_root=tmp_path)
    assert "20 found, 50,000 known" in str(caught.value) and "parquet:PATH" in caught.value.fix
    assert not (tmp_path / "home").exists(), "nothing was decoded"
    small_known(monkeypatch, "cifar10-jpeg", 10, 20, 20)
    assert len(load("cifar10-jpeg", tmp_path, data_root=tmp_path).train) == 20


def test_imagenette_with_another_split_is_refused(tmp_path, monkeypatch):
    from dataclasses import replace

    from ddbench.data.imagenet import SUBSETS, _known_classes

    monkeypatch.setitem(KNOWN, "imagenette", replace(KNOWN["imagenette"], test=10, test_each=(1, 1), train_each=(2, 3)))
    wnids = _known_classes()[0]
    for part, count in (("train", 2), ("val", 2)):
        for identity in SUBSETS["imagenette"]:
            for number in range(count):
                array = pixels(identity + number, (8, 8, 3))
                write_image(tmp_path / "imagenette" / part / wnids[identity] / f"{number}.JPEG", array)
    with pytest.raises(UserError, match="2 to 2 images a class found, 1 known") as caught:
        load("imagenette", tmp_path, data_root=tmp_path)
    assert f"folder:{tmp_path / 'imagenette'}" in caught.value.fix


def test_the_published_counts_add_up():
    for known in KNOWN.values():
        for total, each in ((known.train, known.train_each), (known.test, known.test_each)):
            assert each is None or known.classes * each[0] <= total <= known.classes * each[1]


def test_a_folder_that_is_named_wrongly_is_led_right(tmp_path):
    write("folder", tmp_path / "set", ["train", "test"])
    with pytest.raises(UserError) as caught:
        load(f"folder:{tmp_path / 'set' / 'train'}", tmp_path)
    assert caught.value.fix.endswith(f"folder:{tmp_path / 'set'}")
    with pytest.raises(UserError, match="is a file"):
        load(f"folder:{tmp_path / 'set' / 'train' / 'a' / '000.png'}", tmp_path)
