"""load_dataset: splits, fingerprints, and arguments out of range."""

import numpy as np
import pytest
import torch
from helpers.data_makers import pixels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench.data import RealSet, load_dataset
from ddbench.errors import UserError


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def npz(tmp_path):
    """Writes a set of 30 images in three classes; seed draws the training images."""

    def write(seed: int = 1) -> str:
        labels = np.arange(30) % 3
        x_train, x_test = pixels(seed, (30, 4, 4, 3)), pixels(77, (30, 4, 4, 3))
        np.savez(tmp_path / "set.npz", x_train=x_train, y_train=labels, x_test=x_test, y_test=labels)
        return f"npz:{tmp_path / 'set.npz'}"

    return write


def load(name: str, home, **choice) -> RealSet:
    return load_dataset(name, home=home, quiet=True, **choice)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), fraction=st.floats(0.05, 0.6))
def test_validation_is_cut_from_train_and_train_alone(home, seed, fraction):
    whole = load("digits", home, validation=0)
    real = load("digits", home, validation=fraction, seed=seed)
    assert len(real.validation) == round(fraction * 1437) and len(real.train) + len(real.validation) == 1437
    assert torch.equal(real.test.images, whole.test.images)
    join_ranks = torch.cat([real.train.images, real.validation.images]).flatten(1)
    assert np.array_equal(np.sort(join_ranks, axis=0), np.sort(whole.train.images.flatten(1), axis=0))
    share = real.validation.labels.bincount(minlength=10) / whole.train.labels.bincount()
    assert (share - fraction).abs().max() < 0.02


def test_no_validation_is_an_empty_split(home):
    real = load("digits", home, validation=0)
    assert len(real.validation) == 0 and real.validation.images.shape == (0, 1, 8, 8)


@pytest.mark.parametrize("preprocessing", ["identity", "meanstd", "zca"])
def test_preprocessing_is_fitted_on_train_after_the_cut(home, preprocessing):
    real = load("digits", home, preprocessing=preprocessing)
    inputs = real.inputs(real.train)
    assert inputs.dtype == torch.float32 and inputs.abs().max() > 0
    if preprocessing == "meanstd":
        assert inputs.mean().abs() < 1e-4 and abs(inputs.std(correction=0) - 1) < 1e-4
    if preprocessing == "zca":
        assert inputs.mean(0).abs().max() < 1e-4
    torch.testing.assert_close(real.preprocessing.inverse(inputs), real.train.images, rtol=1e-4, atol=1e-5)


def test_the_fingerprint_stands_for_images_split_and_preprocessing(home, npz):
    name = npz()
    same = [load(name, home, seed=3).fingerprint for _ in range(2)]
    assert same[0] == same[1] and len(same[0]) == 16
    others = [
        load(name, home, seed=4).fingerprint,
        load(name, home, seed=3, validation=0.2).fingerprint,
        load(name, home, seed=3, preprocessing="zca").fingerprint,
        load(name, home, seed=3, size=8).fingerprint,
        load(npz(seed=2), home, seed=3).fingerprint,
    ]
    assert len({same[0], *others}) == 6


def test_a_set_that_moved_keeps_its_fingerprint(home, npz, tmp_path):
    first = load(npz(), home)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "set.npz").rename(tmp_path / "elsewhere" / "set.npz")
    assert load(f"npz:{moved}", home).fingerprint == first.fingerprint


def test_zca_of_another_split_is_another_preprocessing(home, npz):
    name = npz()
    first, second = (load(name, home, preprocessing="zca", seed=seed).preprocessing for seed in (0, 1))
    assert first.fingerprint != second.fingerprint and not torch.equal(first.W, second.W)


def test_moving_to_a_device_keeps_everything(home):
    real = load("digits", home)
    moved = real.to("cpu")
    assert (moved.name, moved.fingerprint, moved.mirror, moved.class_names) == (
        real.name,
        real.fingerprint,
        real.mirror,
        real.class_names,
    )


def test_ipc_larger_than_a_class(home, npz):
    real = load(npz(), home, validation=0)
    real.require_ipc(10)
    with pytest.raises(UserError, match="ipc 11 is larger than a class"):
        real.require_ipc(11)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan"), 1e-5])
def test_validation_out_of_range(home, fraction):
    with pytest.raises(UserError, match="validation fraction"):
        load("digits", home, validation=fraction)


@pytest.mark.parametrize("size", [0, -3, 5000])
def test_size_out_of_range(home, size):
    with pytest.raises(UserError, match="out of range"):
        load("digits", home, size=size)


def test_digits_can_be_resized(home):
    real = load("digits", home, size=12)
    assert real.train.images.shape[1:] == (1, 12, 12) and 0 <= real.train.images.min() <= real.train.images.max() <= 1
