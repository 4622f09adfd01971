"""Sources of encoded images: class folders, Parquet, Tiny-ImageNet and ImageNet's subsets, made small on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.data_makers import pixels, small_known, write_folder, write_image, write_parquet

from ddbench.data import RealSet, load_dataset
from ddbench.data.imagenet import SUBSETS
from ddbench.errors import UserError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def load(name: str, tmp_path: Path, **choice) -> RealSet:
    settings = {"validation": 0, "preprocessing": "identity", "home": tmp_path / "home", "quiet": True, **choice}
    return load_dataset(name, **settings)


def test_folder_with_test(tmp_path):
    train = write_folder(tmp_path / "cats" / "train", {"manx": 3, "angora": 4})
    test = write_folder(tmp_path / "cats" / "test", {"manx": 2, "angora": 1}, seed=50)
    real = load(f"folder:{tmp_path / 'cats'}", tmp_path)
    assert real.name == "folder-cats" and real.class_names == ("angora", "manx")
    assert real.train.labels.tolist() == [0] * 4 + [1] * 3 and real.test.labels.tolist() == [0, 1, 1]
    assert np.array_equal(real.train.images.numpy(), train) and np.array_equal(real.test.images.numpy(), test)


def test_folder_without_test_holds_out_the_same_fifth_always(tmp_path):
    write_folder(tmp_path / "cats" / "train", {"a": 10, "b": 5})
    parts = [load(f"folder:{tmp_path / 'cats'}", tmp_path, seed=seed) for seed in (0, 1)]
    assert parts[0].test.labels.tolist() == [0, 0, 1] and len(parts[0].train) == 12
    assert torch.equal(parts[0].test.images, parts[1].test.images)


def test_folder_errors_name_what_is_missing(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        load(f"folder:{tmp_path / 'none'}", tmp_path)
    (tmp_path / "empty" / "train" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="no images in"):
        load(f"folder:{tmp_path / 'empty'}", tmp_path)
    write_folder(tmp_path / "odd" / "train", {"a": 2})
    write_folder(tmp_path / "odd" / "test", {"z": 2})
    with pytest.raises(UserError, match="lacks"):
        load(f"folder:{tmp_path / 'odd'}", tmp_path)


def test_parquet_with_names_in_its_metadata(tmp_path):
    images = pixels(1, (7, 5, 5, 3))
    names = {"info": {"features": {"label": {"names": ["cat", "dog", "eel"], "_type": "ClassLabel"}}}}
    write_parquet(tmp_path / "set" / "train.parquet", images, [0, 1, 2, 0, 1, 2, 0], json.dumps(names).encode())
    write_parquet(tmp_path / "set" / "test.parquet", images[:3], [1, 0, 2])
    real = load(f"parquet:{tmp_path / 'set'}", tmp_path)
    assert real.class_names == ("cat", "dog", "eel") and real.name == "parquet-set"
    assert real.train.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert np.array_equal(real.train.images.numpy(), images.transpose(0, 3, 1, 2))


def test_parquet_in_shards_grey_and_without_names(tmp_path):
    images = pixels(1, (5, 4, 4))
    columns = {"image": "image", "label": "fine_label"}
    write_parquet(tmp_path / "set" / "data" / "train-00000.parquet", images[:3], [0, 1, 1], **columns)
    write_parquet(tmp_path / "set" / "data" / "train-00001.parquet", images[3:], [1, 0], **columns)
    write_parquet(tmp_path / "set" / "data" / "validation-00000.parquet", images[:2], [1, 0], **columns)
    real = load(f"parquet:{tmp_path / 'set'}", tmp_path)
    assert real.class_names == ("0", "1") and real.channels == 1
    assert np.array_equal(real.train.images[:, 0].numpy(), images)
    assert real.train.labels.tolist() == [0, 1, 1, 1, 0]


def test_parquet_errors(tmp_path):
    images = pixels(1, (2, 4, 4, 3))
    with pytest.raises(UserError, match="no train images"):
        load(f"parquet:{tmp_path}", tmp_path)
    write_parquet(tmp_path / "a" / "train.parquet", images, [0, 1])
    with pytest.raises(UserError, match="2 of the 2 classes .* have no images in the fifth held out"):
        load(f"parquet:{tmp_path / 'a'}", tmp_path)
    (tmp_path / "a" / "test.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        load(f"parquet:{tmp_path / 'a'}", tmp_path)
    write_parquet(tmp_path / "a" / "test.parquet", images, [0, 1])
    write_parquet(tmp_path / "a" / "train.parquet", images, [0, 1], label="species")
    with pytest.raises(UserError, match="no label column"):
        load(f"parquet:{tmp_path / 'a'}", tmp_path)
    write_parquet(tmp_path / "a" / "train.parquet", images, [0, 1])
    write_parquet(tmp_path / "a" / "test.parquet", images, [0, 5])
    with pytest.raises(UserError, match="do not fit its 2 classes"):
        load(f"parquet:{tmp_path / 'a'}", tmp_path)


def test_cifar10_jpeg_has_cifar10s_names_and_constants(tmp_path, monkeypatch):
    small_known(monkeypatch, "cifar10-jpeg", 10, 20, 20)
    images = pixels(1, (20, 32, 32, 3))
    for part in ("train", "test"):
        write_parquet(tmp_path / "cifar10-jpeg" / f"{part}.parquet", images, list(range(10)) * 2)
    one = load("cifar10-jpeg", tmp_path, data_root=tmp_path, preprocessing="meanstd")
    other = load(f"parquet:{tmp_path / 'cifar10-jpeg'}", tmp_path, preprocessing="meanstd")
    assert one.name == other.name == "cifar10-jpeg" and one.fingerprint == other.fingerprint
    assert one.class_names[:3] == ("airplane", "automobile", "bird")
    assert one.preprocessing.describe()["mean"] == [0.4914, 0.4822, 0.4465]


def test_cifar10_jpeg_missing_names_the_place(tmp_path):
    with pytest.raises(UserError, match="not under the data root") as caught:
        load("cifar10-jpeg", tmp_path, data_root=tmp_path)
    assert str(tmp_path / "cifar10-jpeg" / "train.parquet") in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "cifar10-jpeg").is_dir(), reason="the real cifar10-jpeg files are not beside the repository"
)
def test_the_real_cifar10_jpeg(tmp_path):
    real = load("cifar10-jpeg", tmp_path, data_root=SHARED, validation=0.1)
    assert real.train.labels.bincount().tolist() == [4500] * 10 and len(real.test) == 10_000
    assert real.train.images.shape == (45_000, 3, 32, 32)


def write_tiny(root: Path, layout: str) -> None:
    for number, wnid in enumerate(("n02", "n01", "n03")):
        for image in range(2):
            write_image(
                root / "train" / wnid / "images" / f"{wnid}_{image}.JPEG", pixels(9 * number + image, (64, 64, 3))
            )
    lines = []
    for row, wnid in enumerate(("n03", "n01", "n02")):
        name = f"val_{row}.JPEG"
        folder = {"official": Path("images"), "sorted": Path(wnid), "mtt": Path("images") / wnid}[layout]
        write_image(root / "val" / folder / name, pixels(100 + row, (64, 64, 3)))
        lines.append(f"{name}\t{wnid}\t0\t0\t63\t63\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tnewt\n")


@pytest.mark.parametrize(("layout", "labels"), [("official", [2, 0, 1]), ("sorted", [0, 1, 2]), ("mtt", [0, 1, 2])])
def test_tiny_imagenet(tmp_path, monkeypatch, layout, labels):
    small_known(monkeypatch, "tiny-imagenet", 3, 6, 3)
    write_tiny(tmp_path / "tiny-imagenet-200", layout)
    real = load("tiny-imagenet", tmp_path, data_root=tmp_path)
    assert real.class_names == ("goldfish", "newt", "n03") and real.size == 64
    assert real.train.labels.tolist() == [0, 0, 1, 1, 2, 2] and real.test.labels.tolist() == labels


def test_tiny_imagenet_missing(tmp_path):
    with pytest.raises(UserError, match="tiny-imagenet-200.zip"):
        load("tiny-imagenet", tmp_path, data_root=tmp_path)
    write_tiny(tmp_path, "official")
    (tmp_path / "val" / "val_annotations.txt").unlink()
    with pytest.raises(UserError, match="val_annotations.txt"):
        load("tiny-imagenet", tmp_path, data_root=tmp_path)


# The published wnids of imagenette, in its label order: an outside check of class ids and their order.
IMAGENETTE = [
    "n01440764",
    "n02102040",
    "n02979186",
    "n03000684",
    "n03028079",
    "n03394916",
    "n03417042",
    "n03425413",
    "n03445777",
    "n03888257",
]


def test_imagenet_subset_labels_follow_its_list(tmp_path, monkeypatch):
    small_known(monkeypatch, "imagenette", 10, 10, 10)
    for label, wnid in enumerate(IMAGENETTE):
        for part in ("train", "val"):
            write_image(tmp_path / "imagenet" / part / wnid / "0.JPEG", np.full((20, 30, 3), 20 * label, np.uint8))
    real = load("imagenette", tmp_path, data_root=tmp_path)
    assert real.class_names[0] == "tench" and real.class_names[-1] == "parachute"
    assert real.train.images.shape == (10, 3, 128, 128)
    assert real.train.images.float().mean((1, 2, 3)).div(20).round().long().tolist() == real.train.labels.tolist()
    assert load("imagenette", tmp_path, data_root=tmp_path / "imagenet", size=32).size == 32


def test_imagenet_missing_folders(tmp_path):
    with pytest.raises(UserError, match="not under the data root"):
        load("imagewoof", tmp_path, data_root=tmp_path)
    for wnid in IMAGENETTE:
        write_image(tmp_path / "train" / wnid / "0.JPEG", pixels(1, (8, 8, 3)))
    with pytest.raises(UserError, match="10 of the 10 class folders"):
        load("imagenette", tmp_path, data_root=tmp_path)
    with pytest.raises(UserError, match="990 of the 1000 class folders"):
        load("imagenet", tmp_path, data_root=tmp_path)


def test_subsets_are_ten_different_classes():
    assert all(len(set(ids)) == 10 for ids in SUBSETS.values())
