"""Labels of each epoch as SRe2L stores them: every view comes back with its image, or its order is asked for."""

import numpy as np
import pytest
import torch
from helpers.picture_makers import CLASSES, SIZE, imported, numbered_folder, real_of, save_batches, stored_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import RandomSampler

from ddbench.errors import UserError
from ddbench.formats.class_folders import list_class_folders
from ddbench.formats.export import export_set
from ddbench.formats.fkd import read_fkd
from ddbench.formats.fkd_order import SAMPLERS, sampler_order
from ddbench.formats.reader import Facts

IPC = 4


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return real_of(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return numbered_folder(tmp_path_factory.mktemp("pictures"), IPC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lambda: tmp_path_factory.mktemp("labels")


LABELS = torch.arange(CLASSES).repeat_interleave(IPC)


def read(pictures, labels, real, **facts):
    return read_fkd(Facts(epoch_labels=labels, **facts), list_class_folders(pictures, real), real)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(3, 13), st.sampled_from(["none", "mixup", "cutmix"]), st.booleans())
def test_every_view_comes_back(real, pictures, folder, epochs, batch, mixing, half):
    dtype = torch.float16 if half else torch.float32
    made, shown = stored_batches(LABELS, epochs, batch, mixing, teacher=9.0, dtype=dtype)
    stored = read(pictures, save_batches(folder(), made), real)
    labels = stored.labels
    assert torch.equal(labels.order, shown) and labels.mixing == mixing and labels.batch == min(batch, len(LABELS))
    assert labels.epochs == epochs and labels.logits.dtype == dtype
    for epoch, batches in enumerate(made):
        start = 0
        for context, (coords, flips, partners, lam, box, logits) in enumerate(batches):
            views = slice(start, start + len(coords))
            assert torch.equal(labels.coords[epoch, views], coords)
            assert torch.equal(labels.flips[epoch, views], flips)
            assert torch.equal(labels.logits[epoch, views], logits)
            own = torch.arange(start, start + len(coords))
            assert torch.equal(labels.partners[epoch, views], own if partners is None else start + partners)
            assert labels.lam[epoch, context] == (1 if lam is None else np.float32(lam))
            rows = [0, 0, 0, 0] if box is None else box
            assert labels.boxes[epoch, context].tolist() == [rows[1], rows[0], rows[3], rows[2]]
            start += len(coords)


def test_a_set_with_its_labels_is_one_file(real, pictures, folder, tmp_path):
    made, shown = stored_batches(LABELS, epochs=2, teacher=9.0)
    syn = imported("sre2l", pictures, real, epoch_labels=save_batches(folder(), made))
    assert syn.epoch_labels is not None and torch.equal(syn.epoch_labels.order, shown)
    assert (syn.label_versions, syn.bytes["epoch_labels"]) == (2, syn.epoch_labels.bytes)
    assert "epoch_labels" not in syn.provenance["imported"]["said"]
    assert len(syn.provenance["imported"]["files"]) == len(LABELS) + 6
    export_set(syn, tmp_path / "png", "png", tmp_path)
    back = imported("png", tmp_path / "png", real)
    assert back.epoch_labels is not None
    for name, tensor in syn.epoch_labels.tensors().items():
        assert torch.equal(back.epoch_labels.tensors()[name], tensor), name
    notes = export_set(syn, tmp_path / "pt", "pt", tmp_path).notes
    assert any("labels of each epoch" in note for note in notes)


@pytest.mark.parametrize("seed", [0, 42, 2**40])
def test_the_sampler_is_torchs(seed):
    generator = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(range(50), generator=generator)
    wanted = torch.tensor([list(sampler) for _ in range(4)])
    assert torch.equal(sampler_order("sampler", seed, 4, 50), wanted)
    assert not torch.equal(sampler_order("sampler-old", seed, 4, 50)[1], wanted[1])
    assert set(SAMPLERS) == {"sampler", "sampler-old"}


class TestOrder:
    def test_samplers_of_old_torch_are_tried_as_well(self, real, pictures, folder):
        made, shown = stored_batches(LABELS, epochs=3, teacher=0.0)
        order = sampler_order("sampler-old", 42, 3, len(LABELS))
        for epoch, batches in enumerate(made):
            start = 0
            for values in batches:
                size = len(values[0])
                values[-1][torch.arange(size), LABELS[order[epoch, start : start + size]]] += 9
                start += size
        stored = read(pictures, save_batches(folder(), made), real)
        assert torch.equal(stored.labels.order, order) and not torch.equal(order[1], shown[1])
        assert "sampler-old:42" in stored.notes[0]

    @pytest.mark.parametrize("changes", [{"seed": 7}, {"teacher": 0.0}])
    def test_labels_that_confirm_no_order_are_not_guessed(self, real, pictures, folder, changes):
        made, shown = stored_batches(LABELS, **{"teacher": 9.0, **changes})
        labels = save_batches(folder(), made)
        with pytest.raises(UserError, match="is not known") as refused:
            read(pictures, labels, real)
        assert "--order" in refused.value.fix
        seed = changes.get("seed", 42)
        assert torch.equal(read(pictures, labels, real, order=f"sampler:{seed}").labels.order, shown)

    def test_a_run_that_was_begun_anew_is_noticed(self, real, pictures, folder):
        """Epochs made by a second process, whose sampler began again, are of other images than they seem."""
        first, _ = stored_batches(LABELS, epochs=2, teacher=9.0)
        second, _ = stored_batches(LABELS, epochs=2, teacher=9.0)
        labels = save_batches(folder(), [*first, *second])
        with pytest.raises(UserError, match="is not known"):
            read(pictures, labels, real)
        assert read(pictures, labels, real, label_epochs=2).labels.epochs == 2

    def test_listed_and_files(self, real, pictures, folder, tmp_path):
        made, shown = stored_batches(LABELS, epochs=2, teacher=0.0)
        labels = save_batches(folder(), made)
        listed = read(pictures, labels, real, order="listed").labels.order
        assert torch.equal(listed, torch.arange(len(LABELS)).expand(2, -1))
        torch.save(shown, tmp_path / "order.pt")
        np.save(tmp_path / "order.npy", shown.numpy())
        for name in ("order.pt", "order.npy"):
            stored = read(pictures, labels, real, order=str(tmp_path / name))
            assert torch.equal(stored.labels.order, shown) and str(tmp_path) not in stored.notes[0]
        torch.save(shown * 0, tmp_path / "order.pt")
        with pytest.raises(UserError, match="every image once"):
            read(pictures, labels, real, order=str(tmp_path / "order.pt"))
        for wrong in ("sampler", "sampler:-1", "shuffled", "nowhere.pt"):
            with pytest.raises(UserError):
                read(pictures, labels, real, order=wrong)

    def test_positions_are_those_of_names_sorted_as_text(self, real, folder, tmp_path):
        """torchvision lists id10 before id9, and new10 before new9; the labels go by that."""
        root = numbered_folder(tmp_path / "set", 3)
        for label in range(CLASSES):
            for old, new in (("000", "10"), ("001", "9"), ("002", "8")):
                file = root / f"new{label:03d}" / f"class{label:03d}_id{old}.png"
                file.rename(file.with_name(f"class{label:03d}_id{new}.png"))
        (root / "new002").rename(root / "new0002")
        (root / "new001").rename(root / "new01")
        listing = list_class_folders(root, real)
        assert [path.name for path in listing.paths][:3] == [f"class000_id{number}.png" for number in (8, 9, 10)]
        assert listing.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        texts = [f"{listing.paths[row].parent.name}/{listing.paths[row].name}" for row in listing.listed.tolist()]
        assert texts == sorted(texts) and "new0002" in texts[3] and listing.listed.tolist()[:3] == [2, 0, 1]
        made, shown = stored_batches(listing.labels[listing.listed], teacher=9.0)
        stored = read(root, save_batches(folder(), made), real)
        assert torch.equal(stored.labels.order, listing.listed[shown])


WRONG = {
    "coords of another shape": (0, torch.rand(4, 3)),
    "crops beyond the image": (0, torch.full((4, 4), 0.9)),
    "crops in pixels": (0, torch.full((4, 4), 7.0)),
    "crops that are nan": (0, torch.full((4, 4), float("nan"))),
    "flips of another number": (1, torch.zeros(3, dtype=torch.bool)),
    "flips that are a list": (1, [True] * 4),
    "a partner out of the batch": (2, torch.tensor([0, 1, 2, 4])),
    "partners that are no integers": (2, torch.rand(4)),
    "no partners, but a weight": (2, None),
    "a weight above one": (3, 1.5),
    "a weight that is a word": (3, "half"),
    "a box of three": (4, [0, 1, 2]),
    "a box that is upside down": (4, [5, 0, 2, 4]),
    "a box of another image size": (4, [0, 0, SIZE + 1, 4]),
    "a box of fractions": (4, [0.5, 0, 2, 4]),
    "a box that is infinite": (4, [0, 0, float("inf"), 4]),
    "logits of other classes": (5, torch.randn(4, CLASSES + 1)),
    "logits that are nan": (5, torch.full((4, CLASSES), float("nan"), dtype=torch.float16)),
    "logits that are integers": (5, torch.zeros(4, CLASSES, dtype=torch.int64)),
    "logits of another type than the first": (5, torch.randn(4, CLASSES)),
}


class TestRefused:
    @pytest.mark.parametrize("what", WRONG)
    def test_values_that_can_not_be(self, real, pictures, folder, what):
        made, _ = stored_batches(LABELS, epochs=1, teacher=9.0)
        context, value = WRONG[what]
        made[0][1][context] = value
        with pytest.raises(UserError) as refused:
            read(pictures, save_batches(folder(), made), real)
        assert "batch_1.tar" in str(refused.value)

    @pytest.mark.parametrize("value", [{}, [], [1, 2], torch.zeros(6), None, "FKD"])
    def test_files_that_are_something_else(self, real, pictures, folder, value):
        made, _ = stored_batches(LABELS, epochs=1)
        made[0][0] = value
        with pytest.raises(UserError, match="batch_0.tar"):
            read(pictures, save_batches(folder(), made), real)

    def test_batches_or_epochs_that_are_missing_or_too_many(self, real, pictures, folder):
        made, _ = stored_batches(LABELS, epochs=3, teacher=9.0)
        root = save_batches(folder(), made)
        with pytest.raises(UserError, match="has 3 epochs, not 4"):
            read(pictures, root, real, label_epochs=4)
        (root / "epoch_1" / "batch_2.tar").unlink()
        with pytest.raises(UserError, match="labels 8 images, but there are 12"):
            read(pictures, root, real)
        (root / "epoch_1" / "batch_0.tar").unlink()
        with pytest.raises(UserError, match="no batch_0"):
            read(pictures, root, real)
        (root / "epoch_0").rename(root / "epoch_7")
        with pytest.raises(UserError, match="no epoch_0"):
            read(pictures, root, real)
        with pytest.raises(UserError, match="no folder"):
            read(pictures, root / "elsewhere", real)

    def test_labels_of_other_images(self, real, pictures, folder):
        made, _ = stored_batches(torch.arange(CLASSES).repeat_interleave(IPC + 1), teacher=9.0)
        with pytest.raises(UserError, match="more than 12 images, but there are 12"):
            read(pictures, save_batches(folder(), made), real)

    def test_labels_of_two_kinds(self, real, pictures, folder):
        made, _ = stored_batches(LABELS, mixing="cutmix", teacher=9.0)
        made[1] = stored_batches(LABELS, mixing="mixup", teacher=9.0)[0][1]
        with pytest.raises(UserError, match="made otherwise"):
            read(pictures, save_batches(folder(), made), real)

    def test_more_than_memory_holds(self, real, pictures, folder, monkeypatch):
        made, _ = stored_batches(LABELS, epochs=3, teacher=9.0)
        root = save_batches(folder(), made)
        monkeypatch.setattr("ddbench.formats.fkd.os.sysconf", lambda name: 1 if name == "SC_PAGE_SIZE" else 200)
        with pytest.raises(UserError, match="do not fit in memory") as refused:
            read(pictures, root, real)
        assert "--label-epochs 2" in refused.value.fix
        assert read(pictures, root, real, label_epochs=2).labels.epochs == 2
