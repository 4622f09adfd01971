"""Sets with compensators: what is rendered, what is stored, and what they are trained as."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import NETWORK, tiny_real

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import described_sha256, synthetic_sha256
from ddbench.evaluate.protocols.builtin import PROTOCOLS, ProtocolOverrides
from ddbench.evaluate.score import score
from ddbench.evaluate.training.training_sets import make_training_sets
from ddbench.figures.image_grid import draw
from ddbench.synthetic.compensators import Compensation
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic


def compensated(real, *, sets=2, teachers=2, groups=1, natural=True, labels=None, seed=0, **changes):
    """Natural training images, set after set by class, and compensators large enough that sums leave the pixels."""
    every = [real.train.rows_of_class(label)[:sets] for label in range(real.classes)]
    rows = torch.stack(every, 1).flatten()
    images = real.train.images[rows]
    generator = torch.Generator().manual_seed(seed)
    added = torch.randn(teachers, sets, groups, *images.shape[1:], generator=generator).half()
    blocks = teachers + natural
    shown = torch.arange(real.classes).repeat(blocks * sets)
    return SyntheticSet(
        images=images,
        labels=shown if labels is None else labels(len(shown), generator),
        label_kind="hard" if labels is None else "logits",
        compensation=Compensation(compensators=added, rows=rows, natural=natural),
        ipc=5,
        dataset=real.name,
        class_names=real.class_names,
        network=NETWORK,
        preprocessing=real.preprocessing.describe(),
        method="infer",
        **changes,
    )


def logits(count, generator):
    return torch.randn(count, 3, generator=generator).half()


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("natural", [True, False])
def test_what_is_rendered_is_the_clamped_sum(groups, natural):
    real = tiny_real()
    syn = compensated(real, groups=groups, natural=natural)
    mean, std = 0.4, 0.3
    wanted = []
    assert syn.compensation is not None
    if natural:
        wanted += [(image.float() / 255 - mean) / std for image in syn.images]
    for m in range(2):
        for k in range(2):
            for c in range(3):
                x = (syn.images[3 * k + c].float() / 255 - mean) / std
                u = syn.compensation.compensators[m, k, c if groups == 3 else 0].float()
                wanted.append((x + u).clamp((0 - mean) / std, (1 - mean) / std))
    shown = syn.decoded()
    torch.testing.assert_close(shown.images, torch.stack(wanted))
    assert shown.labels.tolist() == [0, 1, 2] * (4 + 2 * natural)
    assert shown.ipc == syn.shown_ipc == 4 + 2 * natural and shown.compensation is None
    pixels = real.preprocessing.inverse(shown.images)
    assert pixels.min() >= -1e-6 and pixels.max() <= 1 + 1e-6


def test_pixels_are_seen_as_the_real_images_are():
    real = tiny_real()
    syn = compensated(real, teachers=0)
    assert syn.compensation is not None
    assert torch.equal(syn.decoded().images, real.inputs(real.train, syn.compensation.rows))
    plain = replace(syn, compensation=None)
    assert torch.equal(plain.decoded().images, syn.decoded().images) and len(plain.to_dataset()) == 6


def test_stored_as_it_is_and_counted_as_it_is_stored(tmp_path):
    real = tiny_real()
    syn = compensated(real, labels=logits, provenance={"charged": {"images": 512}})
    syn.save(tmp_path / "a.safetensors")
    back = load_synthetic(tmp_path / "a.safetensors")
    assert back.images.dtype == torch.uint8 and back.labels.dtype == torch.float16
    assert torch.equal(back.decoded().images, syn.decoded().images)
    assert back.decoded().labels.dtype == torch.float32
    assert syn.bytes == {
        "images": 6 * 64,
        "labels": 18 * 3 * 2,
        "student_lr": 0,
        "compensators": 2 * 2 * 64 * 2,
        "rows": 6 * 8,
    }
    assert back.charged == {"images": 512}


def test_another_set_where_natural_images_are_left_out(tmp_path):
    real = tiny_real()
    without = compensated(real, natural=False)
    assert without.compensation is not None
    both = replace(without, compensation=replace(without.compensation, natural=True), labels=torch.arange(3).repeat(6))
    assert synthetic_sha256(both) != synthetic_sha256(without)
    without.save(tmp_path / "a.safetensors")
    from ddbench.artifact import describe

    assert described_sha256(describe(tmp_path / "a.safetensors")) == synthetic_sha256(without)


@pytest.mark.parametrize(
    "wrong",
    [
        {"compensators": torch.zeros(2, 2, 2, 1, 8, 8).half()},
        {"compensators": torch.zeros(2, 3, 1, 1, 8, 8).half()},
        {"compensators": torch.zeros(2, 2, 1, 1, 4, 4).half()},
        {"compensators": torch.full((2, 2, 1, 1, 8, 8), torch.inf).half()},
        {"rows": torch.arange(5)},
        {"natural": False, "compensators": torch.zeros(0, 2, 1, 1, 8, 8).half()},
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    syn = compensated(tiny_real())
    assert syn.compensation is not None
    with pytest.raises(ValueError):
        replace(syn, compensation=replace(syn.compensation, **wrong))


def test_whitened_sets_hold_no_pixels():
    syn = compensated(tiny_real())
    space = Preprocessing.whitening(torch.zeros(64), torch.eye(64), torch.eye(64), "x").describe()
    with pytest.raises(ValueError, match="no pixels"):
        replace(syn, preprocessing=space)


def test_a_lesson_renders_what_decoding_does():
    real = tiny_real()
    syn = compensated(real, labels=logits)
    (lesson,) = make_training_sets(syn)
    rows = torch.tensor([17, 0, 6, 5, 11])
    images, labels = lesson[rows]
    shown = syn.decoded()
    assert torch.equal(images, shown.images[rows]) and torch.equal(labels, shown.labels[rows])


def test_scored_as_the_same_images_stored_whole():
    real = tiny_real()
    syn = compensated(real, labels=logits)
    fast = replace(PROTOCOLS["infer-static-v1"], setting=ProtocolOverrides(epochs=2, augmentation="crop-flip"))
    asked = {"protocol": fast, "network": NETWORK, "seeds": (0, 1)}
    assert score(syn, real, **asked).accuracy == score(syn.decoded(), real, **asked).accuracy


def test_natural_images_are_what_a_picture_shows(tmp_path):
    real = tiny_real()
    draw(compensated(real, labels=logits), real.preprocessing, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 500


def test_a_damaged_set_says_so(tmp_path):
    from ddbench import artifact

    syn = compensated(tiny_real())
    syn.save(tmp_path / "a.safetensors")
    tensors, document = artifact.load(tmp_path / "a.safetensors", "synthetic set")
    tensors.pop("compensators")
    artifact.save(tmp_path / "b.safetensors", "synthetic set", tensors, document)
    with pytest.raises(UserError, match="not a whole synthetic set"):
        load_synthetic(tmp_path / "b.safetensors")
