"""Preprocessing: ZCA against kornia and its own definition, inverses, fingerprints, the cache and its errors."""

import json

import kornia
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ddbench.data import load_preprocessing, require_same_preprocessing
from ddbench.data import whitening_cache as module
from ddbench.data.fitting import channel_statistics, fit_kip, fit_preprocessing, fit_zca
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import as_unit_float
from ddbench.errors import UserError


def draw(seed: int, n: int, channels: int = 3, size: int = 4) -> torch.Tensor:
    """Correlated images in [0, 1], float32."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.rand(n, 1, size, size, generator=generator)
    return (0.6 * base + 0.4 * torch.rand(n, channels, size, size, generator=generator)).clamp(0, 1)


def whitened(images: torch.Tensor) -> Preprocessing:
    return Preprocessing.whitening(*fit_zca(images), fitted_on="some images")


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(20, 80), channels=st.sampled_from([1, 3]))
def test_zca_equals_kornia(seed, n, channels):
    images = draw(seed, n, channels)
    reference = kornia.enhance.ZCAWhitening(eps=0.1, compute_inv=True).fit(images.double())
    expected = reference(images.double())
    assert expected.abs().max() > 0.1
    found = whitened(images)
    torch.testing.assert_close(found.forward(images).double(), expected, rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(found.W.double(), reference.transform_matrix, rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(
        found.inverse(expected.float()).double(), reference.inverse_transform(expected), rtol=1e-4, atol=2e-6
    )


def test_whitened_covariance_shrinks_every_direction_by_the_definition():
    images = draw(3, 400)
    eigenvalues, U = torch.linalg.eigh(torch.cov(images.flatten(1).double().T))
    assert eigenvalues.max() > 0.1
    covariance = torch.cov(whitened(images).forward(images).flatten(1).double().T)
    expected = torch.diag(eigenvalues / (eigenvalues + 0.1))
    torch.testing.assert_close(U.T @ covariance @ U, expected, rtol=1e-4, atol=1e-5)


def test_zca_does_not_depend_on_chunks_or_storage(monkeypatch):
    stored = (draw(5, 70) * 255).round().byte()
    whole = fit_zca(stored.float() / 255)
    monkeypatch.setattr("ddbench.data.fitting.CHUNK_BYTES", 8 * 48 * 7)
    for one, other in zip(whole, fit_zca(stored), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["identity", "meanstd", "zca"]))
def test_inverse_undoes_forward(seed, kind):
    images = draw(seed, 30)
    made = {
        "identity": Preprocessing.identity,
        "meanstd": lambda: Preprocessing.meanstd(*channel_statistics(images)),
        "zca": lambda: whitened(images),
    }[kind]()
    torch.testing.assert_close(made.inverse(made.forward(images)), images, rtol=1e-4, atol=1e-5)
    assert made.forward(images).dtype == torch.float32
    assert made.to("cpu").fingerprint == made.fingerprint


def test_forward_is_differentiable():
    images = draw(1, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(whitened(images.detach()).forward(images).square().sum(), images)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("stored", [torch.uint8, torch.float32])
def test_channel_statistics_are_those_of_all_pixels(stored, monkeypatch):
    monkeypatch.setattr("ddbench.data.fitting.CHUNK_BYTES", 48 * 7)
    drawn = draw(7, 25)
    images = (drawn * 255).round().byte() if stored == torch.uint8 else drawn
    mean, std = channel_statistics(images)
    seen = as_unit_float(images)
    flat = seen.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.tensor(mean).double(), flat.mean(1), rtol=1e-6, atol=0)
    torch.testing.assert_close(torch.tensor(std).double(), flat.std(1, correction=0), rtol=1e-6, atol=0)
    normal = Preprocessing.meanstd(mean, std).forward(seen)
    assert normal.mean().abs() < 1e-4 and abs(normal.std() - 1) < 1e-2


def test_a_constant_channel_cannot_be_standardized():
    images = draw(7, 5)
    images[:, 1] = 0.25
    with pytest.raises(UserError, match="same value in every pixel"):
        channel_statistics(images)


def fit(kind, images, home, fitted_on="images a"):
    return fit_preprocessing(kind, images, fitted_on=fitted_on, constants=None, home=home, quiet=True)


def test_fingerprints_stand_for_the_definition(tmp_path):
    images = draw(1, 30)
    zca = fit("zca", images, tmp_path)
    assert zca.fingerprint == fit("zca", images, tmp_path / "other home").fingerprint
    assert zca.fingerprint != fit("zca", images, tmp_path, fitted_on="images b").fingerprint
    assert Preprocessing.identity().fingerprint == "8776298d43a8892e"
    cifar = Preprocessing.meanstd((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    assert cifar.fingerprint == "8d098bd22169dbbb"
    assert len({zca.fingerprint, cifar.fingerprint, Preprocessing.identity().fingerprint}) == 3


@pytest.mark.parametrize("kind", ["identity", "meanstd", "zca", "kip"])
def test_a_description_leads_back_to_the_same_map(kind, tmp_path):
    images = draw(2, 30)
    made = fit(kind, images, tmp_path)
    again = load_preprocessing(json.loads(json.dumps(made.describe())), tmp_path)
    assert again.fingerprint == made.fingerprint == made.describe()["fingerprint"]
    assert torch.equal(again.forward(images), made.forward(images))


def test_zca_is_fitted_once(tmp_path, monkeypatch):
    images = draw(2, 30)
    first = fit("zca", images, tmp_path)
    monkeypatch.setattr("ddbench.data.fitting.fit_zca", lambda *_, **__: pytest.fail("fitted again"))
    assert torch.equal(fit("zca", images, tmp_path).W, first.W)


def test_a_whitening_that_is_not_cached_says_how_to_get_it(tmp_path):
    description = fit("zca", draw(2, 30), tmp_path / "here").describe()
    with pytest.raises(UserError, match=description["fingerprint"]) as caught:
        load_preprocessing(description, tmp_path / "elsewhere")
    assert "load the dataset once" in caught.value.fix


def test_a_damaged_or_swapped_whitening_is_refused(tmp_path):
    images = draw(2, 30)
    one = module.whitening_path(tmp_path, fit("zca", images, tmp_path).fingerprint)
    other = module.whitening_path(tmp_path, fit("zca", images, tmp_path, fitted_on="images b").fingerprint)
    one.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="damaged"):
        module.load_whitening(one, "zca")
    one.write_bytes(other.read_bytes()[:-3])
    with pytest.raises(UserError, match="damaged"):
        module.load_whitening(one, "zca")


def test_images_too_large_to_whiten_are_refused_before_any_work():
    with pytest.raises(UserError, match="too large for ZCA"):
        fit_zca(torch.empty(2, 3, 128, 128))


def test_another_preprocessing_is_refused_with_both_fingerprints():
    require_same_preprocessing("aa11", "aa11", "expert buffer", "buffers/x")
    with pytest.raises(UserError) as caught:
        require_same_preprocessing("aa11", "bb22", "expert buffer", "buffers/x")
    assert all(word in str(caught.value) for word in ("aa11", "bb22", "expert buffer", "buffers/x"))


def test_unknown_preprocessing_offers_the_nearest():
    with pytest.raises(UserError, match="did you mean 'meanstd'"):
        module.check_preprocessing_name("meanstdd")


def numpy_kip(train, images):
    """The released computation (RaT-BPTT's ``config.py``, ``preprocess`` with regularization 0.1), pixels 0 to 255."""

    def unit(pixels):
        flat = 255 * pixels.flatten(1).double().numpy()
        flat = flat - flat.mean(axis=1)[:, None]
        return flat / np.linalg.norm(flat, axis=1)[:, None]

    moments = unit(train).T @ unit(train) / len(train)
    eigenvalues, vectors = np.linalg.eigh(moments)
    roots = np.sqrt(eigenvalues + 0.1 * eigenvalues.sum() / len(eigenvalues))
    return (unit(images) @ vectors @ np.diag(1 / roots) @ vectors.T).reshape(images.shape)


class TestKip:
    @settings(max_examples=10, deadline=None)
    @given(seed=st.integers(0, 10_000), channels=st.sampled_from([1, 3]))
    def test_is_the_released_computation(self, seed, channels):
        train, other = draw(seed, 60, channels), draw(seed + 1, 5, channels)
        kip = Preprocessing.kip(*fit_kip(train), fitted_on="some images")
        for images in (train, other):
            want = torch.from_numpy(numpy_kip(train, images))
            torch.testing.assert_close(kip.forward(images).double(), want, rtol=1e-4, atol=2e-5)

    def test_the_moments_shrink_by_the_definition(self):
        images = draw(3, 400)
        flat = images.flatten(1).double()
        unit = functional.normalize(flat - flat.mean(1, keepdim=True))
        eigenvalues, U = torch.linalg.eigh(unit.T @ unit / 400)
        seen = Preprocessing.kip(*fit_kip(images), fitted_on="x").forward(images).flatten(1).double()
        expected = torch.diag(eigenvalues / (eigenvalues + 0.1 * eigenvalues.mean()))
        torch.testing.assert_close(U.T @ (seen.T @ seen / 400) @ U, expected, rtol=1e-3, atol=1e-4)

    def test_brightness_and_contrast_are_forgotten_and_put_back_as_usual(self):
        images = draw(4, 50)
        kip = Preprocessing.kip(*fit_kip(images), fitted_on="x")
        torch.testing.assert_close(kip.forward(0.5 * images + 0.2), kip.forward(images), rtol=1e-3, atol=1e-4)
        shown = kip.inverse(kip.forward(images))
        flat, wanted = shown.flatten(1), images.flatten(1)
        levels, lengths = wanted.mean(1), (wanted - wanted.mean(1, keepdim=True)).norm(dim=1)
        torch.testing.assert_close(flat.mean(1), levels.mean().expand(50), rtol=1e-4, atol=1e-5)
        about = flat - flat.mean(1, keepdim=True)
        torch.testing.assert_close(about.norm(dim=1), lengths.mean().expand(50), rtol=1e-4, atol=1e-5)
        cosines = functional.cosine_similarity(about, wanted - levels[:, None])
        torch.testing.assert_close(cosines, torch.ones(50), rtol=1e-5, atol=0)
        torch.testing.assert_close(kip.forward(shown), kip.forward(images), rtol=1e-3, atol=1e-4)

    def test_an_image_of_one_color_is_zero(self):
        kip = Preprocessing.kip(*fit_kip(torch.cat([draw(5, 30), torch.full((1, 3, 4, 4), 0.3)])), fitted_on="x")
        for level in (0.25, 0.1, 77 / 255):
            assert kip.forward(torch.full((1, 3, 4, 4), level)).abs().max() < 1e-3

    def test_does_not_depend_on_chunks_or_storage(self, monkeypatch):
        stored = (draw(5, 70) * 255).round().byte()
        whole = fit_kip(stored.float() / 255)
        monkeypatch.setattr("ddbench.data.fitting.CHUNK_BYTES", 8 * 48 * 7)
        for one, other in zip(whole, fit_kip(stored), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

    def test_is_kept_in_the_cache_and_told_from_zca(self, tmp_path):
        images = draw(1, 30)
        one, zca = fit("kip", images, tmp_path), fit("zca", images, tmp_path)
        assert one.fingerprint != zca.fingerprint and one.to("cpu").describe()["ridge"] == 0.1
        again = fit("kip", torch.zeros(2, 3, 4, 4), tmp_path)  # not fitted a second time
        assert torch.equal(again.W, one.W) and torch.equal(again.length, one.length)
        with pytest.raises(UserError, match="the KIP whitening .* is not in the cache"):
            load_preprocessing(one.describe(), tmp_path / "elsewhere")
        with pytest.raises(UserError, match="too large for KIP's whitening"):
            fit_kip(torch.zeros(1, 3, 90, 90))
