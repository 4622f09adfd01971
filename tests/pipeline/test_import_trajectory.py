"""Sets of trajectory matching: what MTT, FTD, TESLA, DATM and EDF save, against what it should mean by hand."""

import pytest
import torch
from helpers.foreign_makers import (
    CIFAR10,
    CLASSES,
    MEAN,
    STD,
    close,
    drawn,
    imported,
    over,
    real_set,
    save,
    sorted_labels,
)

from ddbench.errors import UserError
from ddbench.training.losses import classification_loss

SAID = {"lr": 0.02, "space": "meanstd"}


class TestMtt:
    def test_best_of_a_run_is_brought_over_from_cifar10s_constants(self, tmp_path):
        images = drawn(6)
        save(tmp_path / "images_best.pt", images.requires_grad_())
        save(tmp_path / "labels_best.pt", sorted_labels(2))
        save(tmp_path / "images_100.pt", drawn(6, seed=9))
        syn = imported("mtt", tmp_path, real := real_set(), **SAID)
        close(syn.images, over(images.detach(), *CIFAR10, real))
        assert syn.labels.tolist() == [0, 0, 1, 1, 2, 2] and (syn.ipc, syn.method) == (2, "mtt")
        assert syn.student_lr == torch.tensor(0.02) and not syn.images.requires_grad
        assert syn.provenance["recipe"]["evaluation"] == {"protocol": "mtt-v1"}

    @pytest.mark.parametrize("facts", [{"space": "meanstd", "mean": MEAN, "std": STD}, {"mean": MEAN, "std": STD}])
    def test_in_the_real_sets_own_space_every_bit_is_kept(self, tmp_path, facts):
        save(tmp_path / "images_200.pt", images := drawn(3))
        save(tmp_path / "labels_200.pt", sorted_labels(1))
        assert torch.equal(imported("mtt", tmp_path / "images_200.pt", lr="none", **facts).images, images)

    def test_parts_come_in_the_order_of_their_numbers(self, tmp_path):
        whole, labels = drawn(12 * CLASSES), sorted_labels(12)
        for part in range(12):
            save(tmp_path / f"images_best_{part}.pt", whole[3 * part : 3 * part + 3])
            save(tmp_path / f"labels_best_{part}.pt", labels[3 * part : 3 * part + 3])
        one_by_one = imported("mtt", tmp_path, lr="none", mean=MEAN, std=STD)
        assert torch.equal(one_by_one.images, whole) and torch.equal(one_by_one.labels, labels)
        assert len(one_by_one.provenance["imported"]["files"]) == 24
        with pytest.raises(UserError, match="one of 12 parts"):
            imported("mtt", tmp_path / "images_best_3.pt", **SAID)
        (tmp_path / "images_best_4.pt").unlink()
        with pytest.raises(UserError, match="not numbered"):
            imported("mtt", tmp_path, **SAID)

    def test_parts_without_labels_are_one_sorted_set_and_say_so(self, tmp_path):
        whole = drawn(6)
        paths = [save(tmp_path / f"images_best_{part}.pt", whole[2 * part : 2 * part + 2]) for part in range(3)]
        syn = imported("mtt", paths[2], others=tuple(paths[:2]), lr="none", mean=MEAN, std=STD)
        assert torch.equal(syn.images, whole) and syn.labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert any("sorted by class" in note for note in syn.provenance["notes"])

    def test_the_version_for_viewing_is_pixels(self, tmp_path):
        save(tmp_path / "images_zca_500.pt", pixels := drawn(3, low=0, high=1))
        save(tmp_path / "labels_500.pt", torch.tensor([2, 1, 0]))
        syn = imported("mtt", tmp_path / "images_zca_500.pt", real := real_set(), lr=0.1)
        close(syn.images, (pixels - real.preprocessing.mean) / real.preprocessing.std)
        assert syn.labels.tolist() == [2, 1, 0]

    def test_several_iterations_without_a_best_are_listed(self, tmp_path):
        for step in (100, 20):
            save(tmp_path / f"images_{step}.pt", drawn(3))
        with pytest.raises(UserError, match="2 file of images") as caught:
            imported("mtt", tmp_path, **SAID)
        assert caught.value.facts == ("found images_20.pt", "found images_100.pt")


def test_ftd_prefers_the_moving_average(tmp_path):
    save(tmp_path / "images_best.pt", plain := drawn(3, 1))
    save(tmp_path / "labels_best.pt", sorted_labels(1))
    facts = {"lr": 0.03, "mean": MEAN, "std": STD}
    syn = imported("ftd", tmp_path, **facts)
    assert torch.equal(syn.images, plain) and any("moving average" in note for note in syn.provenance["notes"])
    save(tmp_path / "ema_images_best.pt", average := drawn(3, 2))
    save(tmp_path / "ema_labels_best.pt", torch.tensor([1, 0, 2]))
    syn = imported("ftd", tmp_path, **facts)
    assert torch.equal(syn.images, average) and syn.labels.tolist() == [1, 0, 2]
    assert not any("moving average" in note for note in syn.provenance["notes"])
    assert torch.equal(imported("mtt", tmp_path, **facts).images, plain)


def test_tesla_labels_are_probabilities_before_the_first_best_classes(tmp_path):
    logits = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(1))
    save(tmp_path / "images_best.pt", drawn(6))
    save(tmp_path / "labels_best.pt", logits.softmax(1))
    syn = imported("tesla", tmp_path, **SAID)
    assert syn.label_kind == "probabilities"
    out = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(2))
    by_hand = -(logits.softmax(1) * out.log_softmax(1)).sum(1).mean()
    close(classification_loss(out, syn.labels, syn.label_kind), by_hand)
    save(tmp_path / "labels_best.pt", logits)
    with pytest.raises(UserError, match="no probabilities"):
        imported("tesla", tmp_path, **SAID)
    assert imported("tesla", tmp_path, labels="logits", **SAID).label_kind == "logits"
    save(tmp_path / "labels_best.pt", sorted_labels(2))
    assert imported("tesla", tmp_path, **SAID).label_kind == "hard"


class TestDatm:
    def files(self, tmp_path):
        self.images = drawn(3).requires_grad_()
        self.logits = torch.tensor([[1.0, 5.0, 2.0], [0.0, 3.0, 9.0], [8.0, 0.0, 1.0]]).requires_grad_()
        save(tmp_path / "Normal" / "images_best.pt", self.images)
        save(tmp_path / "Normal" / "labels_best.pt", self.logits)
        save(tmp_path / "Normal" / "lr_best.pt", torch.tensor(0.0125, requires_grad=True))

    @pytest.mark.parametrize("format", ["datm", "edf"])
    def test_logits_and_rate_come_detached(self, tmp_path, format):
        self.files(tmp_path)
        syn = imported(format, tmp_path, space="meanstd", mean=MEAN, std=STD)
        assert syn.label_kind == "logits" and torch.equal(syn.labels, self.logits.detach())
        assert syn.student_lr is not None and syn.student_lr.item() == pytest.approx(0.0125)
        assert not any(tensor.requires_grad for tensor in syn.tensors().values())
        assert syn.hard_labels().tolist() == [1, 2, 0] and syn.method == format
        assert set(syn.provenance["imported"]["files"]) == {"images_best.pt", "labels_best.pt", "lr_best.pt"}

    def test_a_rate_that_is_said_wins(self, tmp_path):
        self.files(tmp_path)
        syn = imported("datm", tmp_path, mean=MEAN, std=STD, lr=0.5)
        assert syn.student_lr == torch.tensor(0.5) and syn.provenance["imported"]["said"]["lr"] == 0.5
        assert set(syn.provenance["imported"]["files"]) == {"images_best.pt", "labels_best.pt"}

    def test_images_without_their_labels_are_of_no_use(self, tmp_path):
        self.files(tmp_path)
        (tmp_path / "Normal" / "labels_best.pt").unlink()
        with pytest.raises(UserError, match="no labels beside"):
            imported("datm", tmp_path, space="meanstd")
