"""What an imported set must be: everything wrong or unsaid is one error that names the way out."""

import pytest
import torch
from helpers.foreign_makers import MEAN, STD, drawn, imported, real_set, save, sorted_labels, whitening

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.formats.assemble import assemble
from ddbench.formats.reader import Facts, Read
from ddbench.formats.recognize import looks_like

KNOWN = {"lr": "none", "mean": MEAN, "std": STD}


def holed(value):
    images = drawn(3)
    images[1, 2, 3, 4] = value
    return images


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (holed(float("nan")), "1 of 3 images .* no numbers"),
        (holed(float("inf")), "1 of 3 images .* no numbers"),
        (drawn(3).double() * 1e300, "3 of 3 images .* no numbers"),
        (drawn(3)[0], r"not images\n  found shape \(3, 8, 8\)"),
        (drawn(3)[:0], "not images"),
        (drawn(3).to(torch.int32), "stored as int32"),
        (drawn(3).permute(0, 2, 1, 3), r"not like those of cifar10\n  found .* \(8, 3, 8\)\n  want  \(3, 8, 8\)"),
        (drawn(3)[:, :1], "not like those"),
        (torch.zeros(3, 3, 16, 16), "--size"),
        (drawn(4), "4 images can not be equally many of 3 classes"),
        (drawn(63), r"more than cifar10 has for training \(60\)"),
        ([drawn(3)], "no tensor\n  found list"),
        (drawn(3).to_sparse(), "more than plain tensors"),
        (drawn(3).to(torch.complex64), "a kind that a synthetic set does not have"),
    ],
)
def test_images(tmp_path, images, said):
    save(tmp_path / "images_best.pt", images)
    with pytest.raises(UserError, match=said):
        imported("mtt", tmp_path, **KNOWN)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (sorted_labels(1), "6 images but 3 labels"),
        (torch.tensor([0, 0, 1, 1, 2, 3]), r"not classes of cifar10\n  found 0 to 3\n  want  0 to 2"),
        (torch.tensor([0, 0, 1, 1, 2, -1]), "not classes"),
        (torch.tensor([0, 0, 1, 1, 1, 2]), "different numbers of images\n  found 1 of 'c'\n  found 3 of 'b'"),
        (sorted_labels(2) + 0.5, r"are not labels(.|\n)*torch\.save\(labels\.round\(\)"),
        (sorted_labels(2)[None, :, None], "are not labels"),
        (torch.tensor([[0, 2, 0]] * 6), r"are not labels(.|\n)*labels\.argmax\(1\)"),
        (torch.tensor([[0, 1, 1]] * 6), "are not labels"),
        (torch.zeros(6, 4), "over 4 classes, but cifar10 has 3"),
        (torch.full((6, 3), float("nan")), "nan or infinite"),
        (torch.zeros(6, 3), "--labels"),
        ("cat", "no tensor"),
    ],
)
def test_labels(tmp_path, labels, said):
    save(tmp_path / "images_best.pt", drawn(6))
    save(tmp_path / "labels_best.pt", labels)
    with pytest.raises(UserError, match=said):
        imported("mtt", tmp_path, **KNOWN)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_rates(tmp_path, rate):
    save(tmp_path / "images_best.pt", drawn(3))
    with pytest.raises(UserError, match="can train nothing"):
        imported("mtt", tmp_path, **{**KNOWN, "lr": rate})
    save(tmp_path / "lr_best.pt", torch.tensor(rate))
    with pytest.raises(UserError, match="can train nothing"):
        imported("mtt", tmp_path, **{**KNOWN, "lr": None})
    assert imported("mtt", tmp_path, **KNOWN).student_lr is None
    save(tmp_path / "lr_best.pt", torch.tensor([0.1, 0.2]))
    with pytest.raises(UserError, match="no number"):
        imported("mtt", tmp_path, **{**KNOWN, "lr": None})


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"mean": (0.5,), "std": (0.5,)}, "1 means and 1 deviations for images of 3 channels"),
        ({"mean": MEAN, "std": (0.1, 0.0, 0.1)}, "above zero"),
        ({"mean": (0.5, float("nan"), 0.5), "std": STD}, "must be finite"),
        ({"mean": MEAN, "std": None}, "one is missing"),
        ({"space": "pixels"}, "belong to --space meanstd, not to pixels"),
        ({"space": "zca"}, "belong to --space meanstd, not to zca"),
        ({"ipc": 2}, "are 1 a class, not 2"),
        ({"labels": "logits"}, "the labels are classes"),
        ({"formation": 5}, "can not hold 5 x 5"),
        ({"formation": 0}, "can not hold 0 x 0"),
        ({"network": "convnet-d9"}, "no convnet axis 'd9'"),
    ],
)
def test_facts_that_can_not_be(tmp_path, facts, said):
    save(tmp_path / "images_best.pt", drawn(3))
    save(tmp_path / "labels_best.pt", sorted_labels(1))
    with pytest.raises(UserError, match=said):
        imported("mtt", tmp_path, **{**KNOWN, **facts})


def test_all_that_is_unsaid_is_asked_for_at_once(tmp_path):
    save(tmp_path / "CIFAR10_zca" / "images_best.pt", drawn(3))
    with pytest.raises(UserError) as caught:
        imported("mtt", tmp_path / "CIFAR10_zca", network=None)
    said = str(caught.value)
    assert all(option in said for option in ("--lr", "--space", "--network")) and "its path says zca" in said
    assert "--lr NUMBER|none --space pixels|meanstd|zca|kip --network NAME" in caught.value.fix


class TestZca:
    def test_whitened_images_are_kept_bit_by_bit_in_their_own_whitening(self, tmp_path):
        save(tmp_path / "images_best.pt", images := drawn(3))
        real = real_set(preprocessing=whitening())
        syn = imported("mtt", tmp_path, real, lr=0.1, space="zca")
        assert torch.equal(syn.images, images) and syn.preprocessing == real.preprocessing.describe()

    @pytest.mark.parametrize("real", [real_set(), real_set(preprocessing=whitening(), validation=6)])
    def test_any_other_whitening_is_refused(self, tmp_path, real):
        save(tmp_path / "images_best.pt", drawn(3))
        with pytest.raises(UserError, match="whitening of the whole training set"):
            imported("mtt", tmp_path, real, lr=0.1, space="zca")

    def test_standardized_images_come_into_it(self, tmp_path):
        save(tmp_path / "images_best.pt", images := drawn(3))
        real = real_set(preprocessing=whitening())
        syn = imported("mtt", tmp_path, real, **KNOWN)
        pixels = images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        by_hand = (pixels.flatten(1) - real.preprocessing.mu) @ real.preprocessing.W
        torch.testing.assert_close(syn.images.flatten(1), by_hand, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(real.preprocessing.inverse(syn.images), pixels, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_going_over_and_back_is_the_identity(seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = (
        Preprocessing.meanstd(torch.rand(3, generator=generator).tolist(), (torch.rand(3) + 0.1).tolist())
        for _ in range(2)
    )
    there, back = real_set(preprocessing=second), real_set(preprocessing=first)
    facts = [
        Facts(lr="none", network="convnet-d1-w4", mean=p.describe()["mean"], std=p.describe()["std"])
        for p in (first, second)
    ]
    syn = assemble(Read(images=drawn(3, seed)), facts[0], there)
    again = assemble(Read(images=syn.images), facts[1], back)
    assert not torch.allclose(syn.images, drawn(3, seed), atol=1e-2)
    torch.testing.assert_close(again.images, drawn(3, seed), rtol=1e-4, atol=1e-4)


def test_pixels_of_0_to_255_are_no_pixels_of_0_to_1(tmp_path):
    save(tmp_path / "images_best.pt", drawn(3, low=0, high=255))
    with pytest.raises(UserError, match="divide pixels"):
        imported("mtt", tmp_path, lr="none", space="pixels")


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("replay_buffer_0.pt", "--recipe RECIPE, for they are experts"),
        ("ema_images_best.pt", "ftd"),
        ("images_best.pt", "mtt"),
        ("images_best_0.pt", "mtt"),
        ("Normal/lr_best.pt", "datm"),
        ("res_DC_CIFAR10_ConvNet_1ipc.pt", "dc"),
        ("results.pth", "dd"),
        ("data.pt", "idc"),
        ("kip_cifar10_ssize10.npz", "kip"),
        ("tensor_0.pt", "ufc-init"),
        ("rdm_data_iter0.pt", "ddranking"),
        ("new000/class000_id000.jpg", "sre2l"),
    ],
)
def test_names_are_recognized_in_folders_and_by_themselves(tmp_path, name, format):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert looks_like(tmp_path)[0] == format
    if path.parent == tmp_path:
        assert looks_like(path)[0] == format
    assert looks_like(tmp_path / "nothing") == ()
