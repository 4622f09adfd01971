"""Some classes as a data set of their own: which images, which labels, one preprocessing, nothing read needlessly."""

import numpy as np
import pytest
import torch
from helpers.evaluation_makers import tiny_real
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data.class_subset import only_classes, rows_of_classes, subset_fingerprint, subset_name
from ddbench.errors import UserError

CHOICES = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)


@settings(max_examples=20, deadline=None)
@given(classes=CHOICES)
def test_every_image_of_the_classes_and_no_other(classes):
    real = tiny_real()
    part = only_classes(real, classes)
    for name in ("train", "validation", "test"):
        whole, mine = getattr(real, name), getattr(part, name)
        rows = [row for row, label in enumerate(whole.labels.tolist()) if label in classes]
        assert torch.equal(mine.images, whole.images[rows])
        assert [classes[label] for label in mine.labels.tolist()] == whole.labels[rows].tolist()
        assert mine.labels.dtype == torch.int64
    assert part.class_names == tuple(real.class_names[label] for label in classes)
    assert part.classes == len(classes)
    for label, old in enumerate(classes):
        rows = part.train.rows_of_class(label)
        assert torch.equal(part.train.images[rows], real.train.images[real.train.rows_of_class(old)])


@settings(max_examples=20, deadline=None)
@given(first=CHOICES, second=CHOICES)
def test_name_and_fingerprint_tell_choices_apart(first, second):
    real = tiny_real()
    one, other = only_classes(real, first), only_classes(real, second)
    assert (one.fingerprint == other.fingerprint) == (first == second) == (one.name == other.name)
    assert one.fingerprint == subset_fingerprint(real, first) != real.fingerprint
    assert one.name == subset_name("tiny", first) == f"tiny[{','.join(map(str, first))}]"


def test_many_classes_have_a_short_name():
    one, other = subset_name("cifar100", range(20)), subset_name("cifar100", range(1, 21))
    assert one != other and len(one) == len(other) < 32
    assert one.startswith("cifar100[20-classes-")


def test_the_preprocessing_is_the_whole_data_sets():
    real = tiny_real()
    part = only_classes(real, [2, 0])
    assert part.preprocessing.fingerprint == real.preprocessing.fingerprint
    rows = rows_of_classes(real.test, [0, 2])
    assert torch.equal(part.inputs(part.test), real.inputs(real.test, rows))
    assert (part.mirror, part.device) == (real.mirror, real.device)


def test_a_split_that_loses_nothing_is_not_copied():
    real = tiny_real()
    part = only_classes(real, [1, 2, 0])
    for name in ("train", "validation", "test"):
        assert getattr(part, name).images is getattr(real, name).images
    assert part.train.labels.tolist() == [(2, 0, 1)[label] for label in real.train.labels.tolist()]


def test_large_splits_stay_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("ddbench.data.split.IN_MEMORY_BYTES", 0)
    real = tiny_real()
    part = only_classes(real, [2, 0], folder=tmp_path)
    files = sorted(path.parent.name for path in (tmp_path / part.fingerprint).rglob("*.npy"))
    assert files == ["test", "train", "validation"]
    assert torch.equal(part.train.images, only_classes(real, [2, 0]).train.images)
    (file,) = (tmp_path / part.fingerprint / "train").glob("*.npy")
    assert np.load(file, mmap_mode="r").shape == tuple(part.train.images.shape)
    before = file.stat().st_mtime_ns
    only_classes(real, [2, 0], folder=tmp_path)
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("classes", [[], [0, 0], [3], [-1, 1]])
def test_senseless_choices_are_refused(classes):
    with pytest.raises(UserError, match="can not be chosen from the classes of tiny") as caught:
        only_classes(tiny_real(), classes)
    assert "0 to 2" in caught.value.facts[0]
