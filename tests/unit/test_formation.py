"""Multi-formation sets, epoch labels, and what they cost to store."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import short, tiny_real, tiny_synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import make_row
from ddbench.evaluate.score import score
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.synthetic.multi_formation import decode_formation
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture
def real():
    return tiny_real()


def epoch_labels(count=6, classes=3, epochs=2):
    return EpochLabels(
        order=torch.stack([torch.randperm(count) for _ in range(epochs)]),
        coords=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(epochs, count, 4).clone(),
        flips=torch.zeros(epochs, count, dtype=torch.bool),
        partners=torch.arange(count).expand(epochs, count).clone(),
        lam=torch.ones(epochs, 2),
        boxes=torch.zeros(epochs, 2, 4, dtype=torch.int64),
        logits=torch.randn(epochs, count, classes).half(),
        batch=4,
        mixing="none",
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), side=st.integers(4, 12), factor=st.integers(1, 3), count=st.integers(1, 3))
def test_decoding_by_hand(seed, side, factor, count):
    images = torch.randn(count, 2, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    grey = torch.tensor([0.25, -4.0], dtype=torch.float64).view(2, 1, 1)
    got, number = decode_formation(images, factor, grey), 0
    whole = -(-side // factor) * factor
    padded = grey.expand(count, 2, whole, whole).clone()
    padded[..., :side, :side] = images
    small = whole // factor
    for row in range(factor):
        for column in range(factor):
            for image in padded:
                crop = image[:, row * small : (row + 1) * small, column * small : (column + 1) * small]
                wanted = functional.interpolate(crop[None], size=(side, side), mode="bilinear")[0]
                torch.testing.assert_close(got[number], wanted)
                number += 1
    assert number == len(got)


def test_decoded_sets_keep_classes_together(real):
    syn = tiny_synthetic(real, formation=2)
    seen = syn.decoded()
    assert (len(syn), syn.ipc, len(seen), seen.ipc, seen.formation) == (6, 2, 24, 8, 1)
    assert seen.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    own = decode_formation(syn.images[:2], 2, torch.tensor([[[(0.5 - 0.4) / 0.3]]]))
    torch.testing.assert_close(seen.images[:8], own)
    assert seen.decoded() is seen and syn.bytes == replace(syn, formation=1).bytes
    assert len(syn.to_dataset()) == 24


def test_networks_train_on_what_is_decoded(real):
    syn = tiny_synthetic(real, formation=2)
    asked = {"protocol": short(epochs=20), "seeds": (0, 1)}
    assert score(syn, real, **asked).accuracy == score(syn.decoded(), real, **asked).accuracy


@pytest.mark.parametrize("kind", ["hard", "logits"])
def test_round_trip_of_a_set_with_everything(real, tmp_path, kind):
    syn = tiny_synthetic(real, formation=2, epoch_labels=epoch_labels())
    if kind == "logits":
        syn = replace(syn, labels=torch.randn(6, 3), label_kind="logits")
    path = tmp_path / "set.safetensors"
    syn.save(path)
    found = load_synthetic(path)
    assert found.formation == 2 and found.epoch_labels is not None and found.epoch_labels.mixing == "none"
    assert found.tensors().keys() == syn.tensors().keys()
    assert all(torch.equal(tensor, found.tensors()[name]) for name, tensor in syn.tensors().items())


def test_ledger_counts_all_label_versions(real):
    syn = tiny_synthetic(real, epoch_labels=epoch_labels(epochs=5))
    assert syn.epoch_labels is not None
    #        order   coords   flips  partners lam  boxes    logits
    a_view = 8 + 16 + 1 + 8 + 2 * 3
    assert syn.bytes["epoch_labels"] == 5 * (6 * a_view + 2 * 4 + 2 * 32) == syn.epoch_labels.bytes
    row = make_row(syn, real, score(syn, real, protocol=short(), seeds=(0,)), selection="last", device="cpu")
    assert row.label_versions == 5 and row.total_bytes == sum(syn.bytes.values())
    assert row.accuracy_per_byte == pytest.approx(row.accuracy_mean / row.total_bytes)


def test_stored_views_take_the_place_of_teachers(real):
    syn, protocol = tiny_synthetic(real, epoch_labels=epoch_labels()), short("sre2l-v1", epochs=3, augmentation="none")
    found = score(syn, real, protocol=protocol, seeds=(0,))
    assert found.notes == ("views and labels as stored, 2 epochs of them",)
    with pytest.raises(UserError, match="labels of teachers"):
        score(tiny_synthetic(real), real, protocol=protocol, seeds=(0,))


@pytest.mark.parametrize(
    "changes",
    [{"formation": 9}, {"formation": 0}, {"epoch_labels": epoch_labels(classes=4)}, {"epoch_labels": epoch_labels(8)}],
)
def test_what_can_not_be(real, changes):
    with pytest.raises(ValueError, match="can not hold|epoch labels"):
        tiny_synthetic(real, **changes)


def test_epoch_labels_whose_shapes_disagree():
    whole = epoch_labels()
    for name, tensor in {"lam": torch.ones(2, 3), "flips": torch.ones(2, 5), "boxes": torch.zeros(2, 2)}.items():
        with pytest.raises(ValueError, match=name):
            replace(whole, **{name: tensor})
    with pytest.raises(ValueError, match="partner"):
        replace(whole, partners=whole.partners + 5)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("order", -1, "below 0"),
        ("order", 0.5, "fractions"),
        ("partners", 4, "another batch"),
        ("partners", -1, "another batch"),
        ("coords", float("nan"), "not within its image"),
        ("coords", 1.2, "not within its image"),
        ("coords", -0.2, "not within its image"),
        ("lam", 1.5, r"not in \[0, 1\]"),
        ("lam", float("nan"), r"not in \[0, 1\]"),
        ("boxes", -1, "upside down"),
    ],
)
def test_epoch_labels_whose_values_can_not_be(name, value, says):
    whole = epoch_labels()
    spoilt = getattr(whole, name).clone()
    spoilt = spoilt.float() if isinstance(value, float) else spoilt
    spoilt[0, 0] = value
    with pytest.raises(ValueError, match=says):
        replace(whole, **{name: spoilt})


def test_epoch_labels_of_nothing_and_crops_of_no_size():
    whole = epoch_labels()
    with pytest.raises(ValueError, match="at least one epoch"):
        replace(whole, **{name: tensor[:0] for name, tensor in whole.tensors().items()})
    for size in (0.0, -1.0):
        with pytest.raises(ValueError, match="not within"):
            replace(whole, coords=whole.coords * torch.tensor([1.0, 1.0, 1.0, size]))
    boxes = torch.tensor([5, 0, 4, 8]).expand(2, 2, 4)
    with pytest.raises(ValueError, match="upside down"):
        replace(whole, boxes=boxes)


def test_boxes_stay_within_the_images(real):
    boxes = torch.tensor([0, 0, 9, 8]).expand(2, 2, 4)
    with pytest.raises(ValueError, match="leave images of 8 pixels"):
        tiny_synthetic(real, epoch_labels=replace(epoch_labels(), boxes=boxes))
