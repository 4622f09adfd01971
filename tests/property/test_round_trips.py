"""Out in every format and in again: the same set, as far as the format holds it."""

from dataclasses import replace

import pytest
import torch
from helpers.picture_makers import drawn_set, imported, real_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.formats.export import EXPORTS, export_set
from ddbench.synthetic.synthetic_set import load_synthetic

SETS = st.fixed_dictionaries(
    {
        "ipc": st.integers(1, 3),
        "label_kind": st.sampled_from(["hard", "logits", "probabilities"]),
        "lr": st.sampled_from([None, 0.0312, 1.5]),
        "seed": st.integers(0, 9999),
    }
)
SPACES = st.tuples(st.sampled_from([1, 3]), st.sampled_from(["identity", "meanstd", "zca"]))
quickly = settings(max_examples=12, deadline=None)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("whitenings")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A new folder at every call, as hypothesis runs a test many times in one."""
    return lambda: tmp_path_factory.mktemp("out") / "set"


def same(found, wanted, *, tolerance):
    """The same images, labels, learned rate, classes and preprocessing."""
    assert wanted.images.abs().max() > 0
    torch.testing.assert_close(found.images, wanted.images, rtol=0, atol=tolerance)
    assert found.label_kind == wanted.label_kind and torch.equal(found.labels, wanted.labels)
    assert (found.student_lr is None) == (wanted.student_lr is None)
    assert found.student_lr is None or torch.equal(found.student_lr, wanted.student_lr)
    for name in ("ipc", "dataset", "class_names", "preprocessing", "formation"):
        assert getattr(found, name) == getattr(wanted, name), name


def space_of(real):
    """What a user says of files of tensors in the space of ``real``."""
    about = real.preprocessing.describe()
    if about["kind"] == "meanstd":
        return {"space": "meanstd", "mean": tuple(about["mean"]), "std": tuple(about["std"])}
    return {"space": "pixels" if about["kind"] == "identity" else "zca"}


@quickly
@given(SETS, SPACES, st.sampled_from([1, 2]))
def test_native_keeps_every_bit(home, folder, drawn, space, formation):
    syn = drawn_set(real_of(home, *space), **drawn, formation=formation)
    syn = replace(syn, warm_images=syn.images + 1)
    (file,) = export_set(syn, folder(), "native", home).files
    back = load_synthetic(file)
    same(back, syn, tolerance=0)
    assert torch.equal(back.warm_images, syn.warm_images) and back.provenance == syn.provenance


@quickly
@given(SETS, SPACES)
def test_pt_is_read_as_mtts_and_datms_files(home, folder, drawn, space):
    real = real_of(home, *space)
    syn = drawn_set(real, **drawn)
    exported = export_set(syn, out := folder(), "pt", home)
    hard = syn.label_kind == "hard"
    rate = {} if syn.student_lr is not None and not hard else {"lr": drawn["lr"] or "none"}
    back = imported("mtt" if hard else "datm", out, real, **space_of(real), **rate)
    wanted = as_logits(syn)
    same(back, wanted, tolerance=1e-4)
    assert len(exported.files) == (2 if syn.student_lr is None else 3)


@quickly
@given(SETS, SPACES)
def test_ddranking_is_read_as_its_tensors(home, folder, drawn, space):
    real = real_of(home, *space)
    syn = drawn_set(real, **drawn)
    export_set(syn, out := folder(), "ddranking", home)
    about = {"space": "meanstd"} if real.name == "cifar10" and space[1] != "zca" else space_of(real)
    rate = {} if syn.student_lr is not None else {"lr": "none"}
    same(imported("ddranking", out, real, **about, **rate), as_logits(syn), tolerance=1e-4)


@quickly
@given(SETS, SPACES, st.sampled_from([1, 2]))
def test_png_keeps_whole_pixels_and_all_else(home, folder, drawn, space, formation):
    real = real_of(home, *space)
    syn = drawn_set(real, **drawn, formation=formation)
    export_set(syn, out := folder(), "png", home)
    back = imported("png", out, real)
    same(back, syn, tolerance=1e-4)
    assert back.method == "datm"


@quickly
@given(SETS, SPACES, st.sampled_from([1, 2]))
def test_parquet_keeps_whole_pixels_and_all_else(home, folder, drawn, space, formation):
    real = real_of(home, *space)
    syn = drawn_set(real, **drawn, formation=formation)
    export_set(syn, out := folder(), "parquet", home)
    back = imported("parquet", out, real)
    same(back, syn, tolerance=1e-4)
    assert back.method == "datm"


@quickly
@given(st.integers(0, 9999), SPACES, st.sampled_from(["png", "parquet"]), st.floats(0.1, 3))
def test_pictures_of_any_values_are_cut_and_rounded_and_say_so(home, folder, seed, space, format, spread):
    """Between whole pixels, and beyond [0, 1], the way there and back changes no pixel more than rounding does."""
    real = real_of(home, *space)
    noise = torch.randn(6, real.channels, 8, 8, generator=torch.Generator().manual_seed(seed))
    pixels = 0.5 + spread * noise
    syn = drawn_set(real, images=real.preprocessing.forward(pixels))
    exported = export_set(syn, out := folder(), format, home)
    back = real.preprocessing.inverse(imported(format, out, real).images)
    torch.testing.assert_close(back, pixels.clamp(0, 1), rtol=0, atol=0.5 / 255 + 1e-3)
    beyond, said = (pixels - pixels.clamp(0, 1)).abs().max(), "were cut" in " ".join(exported.notes)
    assert said or beyond < 1 / 255
    assert beyond > 0 or not said


@pytest.mark.parametrize("format", ["pt", "ddranking"])
def test_mosaics_are_taken_apart_for_readers_that_do_not_know_them(home, folder, format):
    real = real_of(home)
    syn = drawn_set(real, formation=2)
    exported = export_set(syn, out := folder(), format, home)
    about = {"space": "meanstd"} if format == "ddranking" else space_of(real)
    back = imported("mtt" if format == "pt" else format, out, real, lr=0.05, **about)
    same(back, replace(syn.decoded(), formation=1), tolerance=1e-4)
    assert any("taken apart" in note for note in exported.notes)


def test_every_format_is_in_a_round_trip():
    assert EXPORTS.names() == ["ddranking", "native", "parquet", "png", "pt"]


def as_logits(syn):
    """The set that a reader of logits has, whose softmax is that of the set."""
    if syn.label_kind != "probabilities":
        return syn
    return replace(syn, label_kind="logits", labels=syn.labels.log())
