"""From scores to rows, and from rows back to scores."""

import json
from dataclasses import replace

import pytest
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import make_row, synthetic_sha256
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score import score
from ddbench.evaluate.verify import Verification, verify


@pytest.fixture
def real():
    return tiny_real()


@pytest.fixture
def row_and_set(real, monkeypatch):
    monkeypatch.setattr("ddbench.evaluate.protocols.builtin.PROTOCOLS", {**PROTOCOLS, "mtt-v1": short(epochs=8)})
    syn = tiny_synthetic(real)
    scores = score(syn, real, protocol="mtt-v1", seeds=(0, 1))
    return make_row(syn, real, scores, selection="last", device="cpu", student=NETWORK), syn


def test_row_says_where_it_comes_from(row_and_set, real, tmp_path):
    row, syn = row_and_set
    assert row.synthetic_sha256 == syn.save(tmp_path / "set.safetensors") == synthetic_sha256(syn)
    assert (row.seconds, row.peak_bytes, row.selected_step) == (2.5, 1000, 7)
    assert row.bytes == syn.bytes and row.recipe == {"dataset": "tiny", "seed": 0}
    assert row.real_fingerprint == real.fingerprint
    assert row.reported is None


def test_row_tells_what_the_guards_did(row_and_set, real):
    syn = replace(row_and_set[1], provenance={"guard": {"non-finite": 2, "above threshold": 0}})
    scores = score(syn, real, protocol="mtt-v1", seeds=(0,))
    assert "guards: 2 outer steps non-finite" in make_row(syn, real, scores, selection="last", device="cpu").note


def test_row_is_about_the_test_split(row_and_set, real):
    _, syn = row_and_set
    scores = score(syn, real, protocol="mtt-v1", seeds=(0,), split="validation")
    with pytest.raises(ValueError, match="test split"):
        make_row(syn, real, scores, selection="last", device="cpu")


def test_row_verifies_to_the_bit(row_and_set, real):
    row, syn = row_and_set
    found = verify(row, syn, real)
    assert found.exact and found.identical and found.passed and found.differences == (0.0, 0.0)
    assert "verified" in found.text() and "NOT" not in found.text()
    json.dumps(found.as_dict(), allow_nan=False)


def test_row_that_claims_more_does_not_verify(row_and_set, real):
    row, syn = row_and_set
    boast = replace(row, accuracy=tuple(max(0.0, value - 0.3) for value in row.accuracy))
    assert not verify(boast, syn, real).passed
    elsewhere = verify(replace(boast, device="NVIDIA H200"), syn, real)
    assert not elsewhere.exact and not elsewhere.passed and "NOT verified" in elsewhere.text()


def test_row_of_another_set_or_other_data(row_and_set, real):
    row, syn = row_and_set
    with pytest.raises(UserError, match="another synthetic set"):
        verify(row, tiny_synthetic(real, seed=3), real)
    with pytest.raises(UserError, match="another real data"):
        verify(row, syn, tiny_real(name="other"))


def test_tolerance_is_on_the_mean():
    asked = {"seeds": (0, 1), "recorded": (0.5, 0.6), "measured": (0.6, 0.5), "tolerance": 0.02}
    assert Verification(exact=False, **asked).passed
    assert not Verification(exact=True, **asked).passed
    assert not Verification(exact=False, **{**asked, "measured": (0.6, 0.6)}).passed
