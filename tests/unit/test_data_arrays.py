"""Sources that come as arrays: digits, numpy files, torchvision's sets, and the hub, each without a network."""

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets
from helpers.data_makers import encoded, pixels, small_known
from sklearn.datasets import load_digits

from ddbench.data import RealSet, load_dataset
from ddbench.errors import UserError


def load(name: str, tmp_path: Path, **choice) -> RealSet:
    settings = {"validation": 0, "preprocessing": "identity", "home": tmp_path / "home", "quiet": True, **choice}
    return load_dataset(name, **settings)


def test_digits(tmp_path):
    real = load("digits", tmp_path)
    assert (len(real.train), len(real.test), real.size, real.channels) == (1437, 360, 8, 1)
    assert not real.mirror and real.train.images.dtype == torch.float32
    assert real.train.images.min() == 0 and real.train.images.max() == 1
    counts = real.test.labels.bincount()
    assert counts.min() >= 34 and counts.max() <= 38
    everything = np.sort(np.concatenate([real.train.images, real.test.images]).reshape(1797, -1) * 16, axis=0)
    assert np.array_equal(everything, np.sort(load_digits().data, axis=0)), "no image is lost or doubled"


DIGITS_TEST = [0, 9, 0, 1, 2, 9, 3, 9, 9, 8, 7, 0]
"""Labels of the first test images: pinned, so that a change of the split is noticed."""


def test_digits_test_set_never_changes(tmp_path):
    first, second = (load("digits", tmp_path, seed=seed, validation=0.1) for seed in (0, 1))
    assert torch.equal(first.test.images, second.test.images)
    assert first.test.labels[:12].tolist() == DIGITS_TEST


@pytest.mark.parametrize("layout", ["NHWC", "NCHW", "NHW"])
def test_npz(tmp_path, layout):
    images = pixels(1, (6, 5, 5) if layout == "NHW" else (6, 5, 5, 3))
    stored = images.transpose(0, 3, 1, 2) if layout == "NCHW" else images
    labels = np.array([0, 1, 2, 0, 1, 2])
    arrays = {"x_train": stored, "y_train": labels[:, None], "x_test": stored[:3], "y_test": labels[:3]}
    np.savez(tmp_path / "set.npz", **arrays, class_names=np.array(["x", "y", "z"]))
    real = load(f"npz:{tmp_path / 'set.npz'}", tmp_path)
    expected = images[:, None] if layout == "NHW" else images.transpose(0, 3, 1, 2)
    assert np.array_equal(real.train.images.numpy(), expected)
    assert real.class_names == ("x", "y", "z") and real.name == "npz-set"
    assert load(f"npz:{tmp_path / 'set.npz'}", tmp_path, size=10).train.images.shape[2:] == (10, 10)


def good_arrays() -> dict[str, np.ndarray]:
    images, labels = pixels(1, (4, 5, 5, 3)), np.array([0, 1, 0, 1])
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.zeros((4, 5, 5, 3), np.float32)}, "does not hold images"),
        ({"x_train": pixels(1, (4, 5, 7, 3))}, "not square"),
        ({"x_train": pixels(1, (3, 5, 5, 3))}, "3 images and 4 labels"),
        ({"x_test": pixels(1, (4, 6, 6, 3))}, "differ in size"),
        ({"y_train": np.array([0.0, 1.0, 0.0, 1.0])}, "one integer an image"),
        ({"y_test": np.array([0, 1, 0, 7])}, "do not fit its 2 classes"),
        ({"y_train": np.array([{}, 1, 0, 1], dtype=object)}, "not a readable .npz file"),
    ],
)
def test_npz_errors(tmp_path, change, message):
    np.savez(tmp_path / "set.npz", **{**good_arrays(), **change})
    with pytest.raises(UserError, match=message):
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)


def test_npz_missing_damaged_or_incomplete(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)
    (tmp_path / "set.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(UserError, match="not a readable .npz file"):
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)
    np.savez(tmp_path / "set.npz", x_train=pixels(1, (4, 5, 5, 3)))
    with pytest.raises(UserError, match="lacks y_train"):
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)


MNIST_LABELS = [3, 1, 4, 1, 5, 9, 2, 6, 0, 7, 8, 3]


def write_mnist(folder: Path) -> np.ndarray:
    """The four files of MNIST in their official binary format, twelve training images and ten test images."""
    folder.mkdir(parents=True)
    images, labels = pixels(3, (22, 28, 28)), np.array([*MNIST_LABELS, *range(10)], np.uint8)
    for part, rows in (("train", slice(0, 12)), ("t10k", slice(12, 22))):
        header = struct.pack(">IIII", 2051, len(images[rows]), 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images[rows].tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 2049, len(images[rows])) + labels[rows].tobytes()
        )
    return images


@pytest.mark.parametrize(
    ("name", "folder", "mirror"), [("mnist", "MNIST", False), ("fashion-mnist", "FashionMNIST", True)]
)
def test_mnist_from_its_own_files(tmp_path, monkeypatch, name, folder, mirror):
    small_known(monkeypatch, name, 10, 12, 10)
    images = write_mnist(tmp_path / folder / "raw")
    real = load(name, tmp_path, data_root=tmp_path, preprocessing="meanstd")
    assert np.array_equal(real.train.images[:, 0].numpy(), images[:12])
    assert real.train.labels.tolist() == MNIST_LABELS and real.classes == 10
    assert real.mirror is mirror
    assert real.preprocessing.describe()["mean"] == [0.1307 if name == "mnist" else 0.2861]


def fake_cifar(classes: int):
    def make(root, train, download):
        images = pixels(int(train), (classes, 32, 32, 3))
        return SimpleNamespace(data=images, targets=list(range(classes)), classes=[f"c{i}" for i in range(classes)])

    return make


@pytest.mark.parametrize(("name", "kind", "classes"), [("cifar10", "CIFAR10", 10), ("cifar100", "CIFAR100", 100)])
def test_cifar(tmp_path, monkeypatch, name, kind, classes):
    monkeypatch.setattr(torchvision.datasets, kind, fake_cifar(classes))
    small_known(monkeypatch, name, classes, classes, classes)
    real = load(name, tmp_path, preprocessing="meanstd")
    assert np.array_equal(real.train.images.numpy(), pixels(1, (classes, 32, 32, 3)).transpose(0, 3, 1, 2))
    assert real.train.images.is_contiguous() and real.class_names[1] == "c1" and real.mirror
    assert real.preprocessing.fingerprint == "8d098bd22169dbbb", "both use CIFAR-10's constants"


def test_svhn(tmp_path, monkeypatch):
    def make(root, split, download):
        return SimpleNamespace(data=pixels(split == "train", (10, 3, 32, 32)), labels=np.arange(10))

    monkeypatch.setattr(torchvision.datasets, "SVHN", make)
    small_known(monkeypatch, "svhn", 10, 10, 10)
    real = load("svhn", tmp_path)
    assert np.array_equal(real.train.images.numpy(), pixels(1, (10, 3, 32, 32)))
    assert not real.mirror and real.class_names == tuple("0123456789")


@pytest.mark.parametrize("problem", [URLError("no network"), RuntimeError("File not found or corrupted.")])
def test_a_failed_download_says_what_to_put_where(tmp_path, monkeypatch, capsys, problem):
    def make(root, train, download):
        if not download:
            raise RuntimeError("Dataset not found")
        print("Downloading ...")
        raise problem

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", make)
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        load("cifar10", tmp_path, data_root=tmp_path / "raw", where="mtt.yaml, line 2: dataset")
    text = str(caught.value)
    assert str(tmp_path / "raw" / "cifar-10-batches-py") in text and "mtt.yaml, line 2" in text
    assert "https://www.cs.toronto.edu" in caught.value.fix
    assert capsys.readouterr() == ("", "")


def test_a_download_is_asked_for_only_when_nothing_is_there(tmp_path, monkeypatch):
    asked = []

    def make(root, train, download):
        asked.append((Path(root), train, download))
        if not download and len(asked) == 1:
            raise RuntimeError("Dataset not found")
        return fake_cifar(10)(root, train, download)

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", make)
    small_known(monkeypatch, "cifar10", 10, 10, 10)
    load("cifar10", tmp_path)
    assert asked == [
        (tmp_path / "home" / "downloads", True, False),
        (tmp_path / "home" / "downloads", True, True),
        (tmp_path / "home" / "downloads", False, False),
    ]


class FakeSplit:
    """As much of ``datasets.Dataset`` as is used: rows of encoded images and labels."""

    def __init__(self, images: np.ndarray, labels: list[int]) -> None:
        self.cells = [{"bytes": encoded(image), "path": None} for image in images]
        self.labels = labels
        self.column_names = ["image", "label"]
        self.features = {"label": SimpleNamespace(names=["cat", "dog"])}
        self._fingerprint = "abc"

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, key: slice) -> dict[str, list]:
        return {"image": self.cells[key], "label": self.labels[key]}

    def select_columns(self, columns):
        return self

    def cast_column(self, column, kind):
        return self


def test_hub(tmp_path, monkeypatch):
    images = pixels(1, (6, 5, 5, 3))
    parts = {"train": FakeSplit(images[:4], [0, 1, 1, 0]), "validation": FakeSplit(images[4:], [1, 0])}
    library = SimpleNamespace(
        load_dataset=lambda name, cache_dir: parts, disable_progress_bars=lambda: None, Image=lambda decode: None
    )
    monkeypatch.setitem(sys.modules, "datasets", library)
    real = load("hub:org/pets", tmp_path)
    assert real.name == "hub-org-pets" and real.class_names == ("cat", "dog")
    assert np.array_equal(real.train.images.numpy(), images[:4].transpose(0, 3, 1, 2))
    assert real.test.labels.tolist() == [1, 0]


def test_hub_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError) as caught:
        load("hub:org/pets", tmp_path)
    assert caught.value.fix == 'pip install "ddbench[hub]"'


def test_hub_name_that_cannot_be_loaded(tmp_path, monkeypatch):
    def load_nothing(name, cache_dir):
        raise ConnectionError("no network")

    library = SimpleNamespace(load_dataset=load_nothing, disable_progress_bars=lambda: None)
    monkeypatch.setitem(sys.modules, "datasets", library)
    with pytest.raises(UserError, match="ConnectionError: no network"):
        load("hub:org/pets", tmp_path)
