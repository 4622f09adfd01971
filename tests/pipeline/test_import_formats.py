"""Foreign formats, from files built as their projects build them, against what they should mean by hand."""

import numpy as np
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
from torch.nn import functional

from ddbench.errors import UserError
from ddbench.formats.reader import READERS
from ddbench.synthetic.synthetic_set import load_synthetic

CIFAR100 = ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762))
SAID = {"lr": 0.02, "space": "meanstd"}


def condensed(tmp_path, name="res_DM_CIFAR100_ConvNet_1ipc.pt", experiments=3):
    """As main_DM.py saves: lists of tensors, and accuracies that are numpy's numbers."""
    sets = [[drawn(3, seed), sorted_labels(1)] for seed in range(experiments)]
    accuracies = {"ConvNet": [np.float64(0.5), np.float32(0.25), 0.75]}
    save(tmp_path / name, {"data": sets, "accs_all_exps": accuracies})
    return sets


@pytest.mark.parametrize(("experiment", "meant"), [(None, 2), (-1, 2), (0, 0), (1, 1), (-3, 0)])
def test_dc_takes_the_last_experiment_or_the_one_that_is_said(tmp_path, experiment, meant):
    sets = condensed(tmp_path)
    real = real_set("cifar100")
    syn = imported("dc", tmp_path, real, experiment=experiment)
    close(syn.images, over(sets[meant][0], *CIFAR100, real))
    assert (syn.method, syn.student_lr) == ("dm", None)
    assert f"experiment {meant} of 0 to 2" in syn.provenance["notes"]
    with pytest.raises(UserError, match="no experiment 3"):
        imported("dc", tmp_path, real, experiment=3)


def test_dc_names_its_method_and_its_protocol(tmp_path):
    condensed(tmp_path, "res_DC_CIFAR10_ConvNet_1ipc.pt")
    dc = imported("dc", tmp_path)
    assert dc.method == "dc" and dc.provenance["recipe"]["evaluation"]["protocol"] == "dc-v1"
    dsa = imported("dsa", tmp_path)
    assert dsa.method == "dsa" and dsa.provenance["recipe"]["evaluation"]["protocol"] == "dsa-v1"


def test_beard_reads_the_first_experiment(tmp_path):
    sets = condensed(tmp_path, "DSA_cifar10_ipc1_conv.pt")
    syn = imported("beard", tmp_path, mean=MEAN, std=STD)
    assert syn.method == "dsa" and torch.equal(syn.images, sets[0][0])


def test_constants_of_unknown_data_are_asked_for(tmp_path):
    condensed(tmp_path)
    with pytest.raises(UserError, match="--mean") as caught:
        imported("dc", tmp_path, real_set("folder-mine"))
    assert "--std" in str(caught.value) and "ddbench has 0.5,0.4,0.3" in str(caught.value)


def test_dd_reads_the_last_step_with_its_rate(tmp_path):
    steps = [(drawn(3, seed), sorted_labels(1), torch.tensor([0.01 * (seed + 1)])) for seed in range(3)]
    save(tmp_path / "results.pth", steps)
    syn = imported("dd", tmp_path, mean=MEAN, std=STD)
    assert torch.equal(syn.images, steps[2][0]) and syn.student_lr == torch.tensor(0.03)
    assert imported("dd", tmp_path, experiment=0, lr="none", mean=MEAN, std=STD).student_lr is None


class TestMultiFormation:
    def test_idc_is_stored_as_it_is_and_decodes_crop_by_crop(self, tmp_path):
        pixels = drawn(3, low=0, high=1)
        save(tmp_path / "data.pt", (pixels, sorted_labels(1)))
        syn = imported("idc", tmp_path, real := real_set(), formation=2)
        standardized = (pixels - real.preprocessing.mean) / real.preprocessing.std
        close(syn.images, standardized)
        assert (syn.formation, syn.ipc, len(syn)) == (2, 1, 3)
        seen = syn.decoded()
        assert len(seen) == 12 and seen.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        for crop, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
            small = standardized[1:2, :, top : top + 4, left : left + 4]
            close(seen.images[4 + crop : 5 + crop], functional.interpolate(small, 8, mode="bilinear"))

    def test_the_factor_is_asked_for_unless_the_folder_says_it(self, tmp_path):
        plain, said = tmp_path / "run_ipc1", tmp_path / "conv3_factor2_mix_ipc1"
        for folder in (plain, said):
            save(folder / "data.pt", (drawn(3, low=0, high=1), sorted_labels(1)))
        assert imported("dream", said).formation == 2 and imported("dream", said, formation=1).formation == 1
        with pytest.raises(UserError, match="how many small images") as caught:
            imported("ncfm", plain)
        assert "--formation 2" in caught.value.fix

    def test_phases_follow_each_other(self, tmp_path):
        parts = [drawn(count, count, 0, 1) for count in (4, 2)]
        save(tmp_path / "run_2_phase0" / "data.pt", (parts[0], torch.tensor([0, 0, 1, 1])))
        save(tmp_path / "run_2_phase1" / "data.pt", (parts[1], torch.tensor([0, 0])))
        syn = imported("idc", tmp_path, real := real_set(), formation=1)
        assert syn.labels.tolist() == [0, 0, 1, 1, 2, 2] and "phases" in syn.provenance["notes"][0]
        close(syn.images, (torch.cat(parts) - real.preprocessing.mean) / real.preprocessing.std)
        save(tmp_path / "run_2_phase1" / "data.pt", (parts[1], torch.tensor([2, 2])))
        syn = imported("idc", tmp_path, formation=1)
        assert syn.labels.tolist() == [0, 0, 1, 1, 2, 2] and "phases" not in syn.provenance["notes"][0]
        assert set(syn.provenance["imported"]["files"]) == {"run_2_phase0/data.pt", "run_2_phase1/data.pt"}
        save(tmp_path / "run_2_phase1" / "data.pt", (parts[1], torch.tensor([1, 2])))
        with pytest.raises(UserError, match="in several phases"):
            imported("idc", tmp_path, formation=1)

    def test_standardized_images_are_no_pixels(self, tmp_path):
        save(tmp_path / "data.pt", (drawn(3), sorted_labels(1)))
        with pytest.raises(UserError, match="no pixels in"):
            imported("idc", tmp_path, formation=1)

    def test_ncfm_reads_its_first_set(self, tmp_path):
        save(tmp_path / "data_init.pt", (drawn(3, low=0, high=1), sorted_labels(1)))
        assert imported("ncfm", tmp_path, formation=2).method == "ncfm"


class TestKip:
    def file(self, tmp_path, name="kip_cifar10_ConvNet_ssize3_nozca_nol_noaug_ckpt1000.npz"):
        self.images = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
        targets = np.array([[0.9, -0.1, -0.1], [-0.1, 0.8, 0.9], [0.1, 0.9, 0.2]]) - 0.1
        np.savez(tmp_path / name, images=self.images, labels=targets)
        return tmp_path / name

    def test_channels_come_first_and_targets_become_classes(self, tmp_path):
        syn = imported("kip", self.file(tmp_path), mean=MEAN, std=STD)
        assert syn.labels.tolist() == [0, 2, 1] and syn.student_lr is None
        for image, channel, row, column in ((0, 0, 0, 1), (2, 1, 7, 3), (1, 2, 4, 0)):
            assert syn.images[image, channel, row, column].item() == self.images[image, row, column, channel]

    def test_its_own_whitening_is_refused_unless_undone(self, tmp_path):
        file = self.file(tmp_path, "kip_cifar10_ConvNet_ssize3_zca_nol_noaug_ckpt1000.npz")
        for facts in ({}, {"space": "zca"}):
            with pytest.raises(UserError, match="whitened in KIP's own way"):
                imported("kip", file, **facts)
        assert len(imported("kip", file, space="meanstd", mean=MEAN, std=STD)) == 3
        with pytest.raises(UserError, match="look standardized"):
            imported("kip", file, space="pixels")

    def test_the_name_tells_how_many(self, tmp_path):
        with pytest.raises(UserError, match="should hold 30 images and holds 3"):
            imported("kip", self.file(tmp_path, "kip_cifar10_ConvNet_ssize30_nozca.npz"), space="pixels")


def test_eccv24_is_cifar100_in_its_own_constants(tmp_path):
    save(tmp_path / "cifar100.pt", images := drawn(30))
    syn = imported("eccv24", tmp_path, real := real_set("cifar100"))
    close(syn.images, over(images, *CIFAR100, real))
    assert torch.equal(syn.labels, sorted_labels(10)) and syn.ipc == 10 and syn.student_lr is None
    save(tmp_path / "cifar100.pt", drawn(27))
    with pytest.raises(UserError, match="10 images of each class"):
        imported("eccv24", tmp_path, real)


def test_ddranking_tensors(tmp_path):
    logits = torch.randn(3, CLASSES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    save(tmp_path / "images.pt", images := drawn(3))
    save(tmp_path / "labels.pt", logits)
    save(tmp_path / "lr.pt", torch.tensor(0.004))
    syn = imported("ddranking", tmp_path, mean=MEAN, std=STD, method="datm")
    assert torch.equal(syn.images, images) and torch.equal(syn.labels, logits.float())
    assert (syn.label_kind, syn.method) == ("logits", "datm") and syn.student_lr == torch.tensor(0.004)
    random = tmp_path / "random"
    save(random / "rdm_data_iter0.pt", drawn(3, 4))
    save(random / "rdm_labels_iter0.pt", sorted_labels(1))
    syn = imported("ddranking", random, mean=MEAN, std=STD)
    assert (syn.method, syn.student_lr, syn.label_kind) == ("random", None, "hard")


def test_ufc_has_one_image_of_every_class_in_a_file(tmp_path):
    files = [drawn(CLASSES, seed) for seed in range(4)]
    for number, tensor in enumerate(files):
        save(tmp_path / f"tensor_{number}.pt", tensor)
    facts = {"mean": MEAN, "std": STD}
    syn = imported("ufc-init", tmp_path, **facts)
    assert syn.ipc == 4 and torch.equal(syn.labels, sorted_labels(4)) and syn.method == "random"
    assert torch.equal(syn.images[4 * 2 + 1], files[1][2])
    assert imported("ufc-init", tmp_path, ipc=2, **facts).ipc == 2
    save(tmp_path / "tensor_2.pt", drawn(CLASSES + 1))
    with pytest.raises(UserError, match="one image of every class"):
        imported("ufc-init", tmp_path, **facts)


class TestDcBench:
    @pytest.mark.parametrize("normalized", [True, False])
    def test_pairs_are_pixels_unless_their_name_says_normalized(self, tmp_path, normalized):
        folder = tmp_path / "random" / "CIFAR10" / "IPC1"
        stem = f"cifar10_IPC1{'_normalize' if normalized else ''}"
        save(folder / f"{stem}_images.pt", images := drawn(3, low=0, high=1))
        save(folder / f"{stem}_labels.pt", torch.tensor([1, 2, 0]))
        syn = imported("dc-bench", folder, real := real_set())
        own = real.preprocessing
        close(syn.images, over(images, *CIFAR10, real) if normalized else (images - own.mean) / own.std)
        assert syn.labels.tolist() == [1, 2, 0] and syn.method == "random"

    def test_each_methods_files_are_read_as_its_own_project_has_them(self, tmp_path):
        sets = condensed(tmp_path / "DSA" / "CIFAR10" / "IPC1", "res_DSA_CIFAR10_ConvNet_1ipc.pt")
        syn = imported("dc-bench", tmp_path / "DSA" / "CIFAR10" / "IPC1", mean=MEAN, std=STD)
        assert syn.method == "dsa" and torch.equal(syn.images, sets[-1][0])
        save(tmp_path / "TM" / "CIFAR10" / "IPC1" / "images_best.pt", drawn(3))
        with pytest.raises(UserError, match="--lr.*\n.*--space"):
            imported("dc-bench", tmp_path / "TM" / "CIFAR10" / "IPC1")


class TestPlainTensors:
    @pytest.mark.parametrize("ending", [".pt", ".npy"])
    def test_two_files(self, tmp_path, ending):
        first = save(tmp_path / f"x{ending}", images := drawn(3))
        second = save(tmp_path / f"y{ending}", torch.tensor([2, 0, 1]))
        syn = imported("tensors", first, others=(second,), lr="none", mean=MEAN, std=STD)
        assert torch.equal(syn.images, images) and syn.labels.tolist() == [2, 0, 1]

    def test_one_file_of_any_kind(self, tmp_path):
        from safetensors.torch import save_file

        images, labels = drawn(3), torch.tensor([0, 2, 1])
        np.savez(tmp_path / "set.npz", images=images.numpy(), labels=labels.numpy())
        save_file({"images": images, "labels": labels}, tmp_path / "set.safetensors")
        save(tmp_path / "pair.pt", (images, labels))
        save(tmp_path / "named.pt", {"images": images, "labels": labels, "lr": 0.25})
        for name in ("set.npz", "set.safetensors", "pair.pt", "named.pt"):
            lr = None if name == "named.pt" else "none"
            syn = imported("tensors", tmp_path / name, lr=lr, mean=MEAN, std=STD)
            assert torch.equal(syn.images, images) and torch.equal(syn.labels, labels)
            assert syn.student_lr == (torch.tensor(0.25) if lr is None else None)

    def test_bytes_are_pixels(self, tmp_path):
        whole = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        syn = imported("tensors", save(tmp_path / "images.pt", whole), real := real_set(), lr="none")
        close(syn.images, (whole / 255 - real.preprocessing.mean) / real.preprocessing.std)

    def test_rows_of_numbers_are_asked_about(self, tmp_path):
        save(tmp_path / "images.pt", drawn(3))
        save(tmp_path / "labels.pt", rows := torch.eye(3)[[2, 0, 1]])
        facts = {"lr": 0.02, "mean": MEAN, "std": STD}
        with pytest.raises(UserError, match="--labels"):
            imported("tensors", tmp_path, **facts)
        assert imported("tensors", tmp_path, labels="hard", **facts).labels.tolist() == [2, 0, 1]
        assert torch.equal(imported("tensors", tmp_path, labels="probabilities", **facts).labels, rows)


def test_a_pickle_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "idm.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(UserError, match="is a pickle") as caught:
        imported("idm", tmp_path / "idm.pkl")
    assert "--format tensors" in caught.value.fix


@pytest.mark.parametrize("name", READERS.names())
def test_every_layout_says_what_it_is(name, tmp_path):
    layout = READERS.get(name)
    assert layout.name == name and layout.title and layout.source
    with pytest.raises(UserError):
        imported(name, tmp_path / "nowhere", space="pixels", lr="none", formation=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        imported(name, tmp_path / "empty", space="pixels", lr="none", formation=1)


def test_an_imported_set_is_a_set_like_any_other(tmp_path):
    save(tmp_path / "images_best.pt", drawn(6))
    save(tmp_path / "labels_best.pt", sorted_labels(2))
    syn = imported("mtt", tmp_path, ipc=2, **SAID)
    syn.save(tmp_path / "set.safetensors")
    back = load_synthetic(tmp_path / "set.safetensors")
    assert torch.equal(back.images, syn.images) and back.provenance == syn.provenance
    assert str(tmp_path) not in str(back.provenance)
    assert back.provenance["imported"]["said"] == {"ipc": 2, "lr": 0.02, "space": "meanstd", "network": "convnet-d1-w4"}
