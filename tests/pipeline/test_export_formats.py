"""What an export writes, byte by byte and word by word, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from helpers.picture_makers import NAMES, drawn_set, pixels_in, real_of
from torchvision.datasets import ImageFolder

from ddbench.errors import UserError
from ddbench.formats.ddranking_settings import model_name
from ddbench.formats.export import EXPORTS, export_set
from ddbench.formats.export_png import folder_name
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def syn(home):
    return drawn_set(real_of(home), ipc=2)


def soft(home, kind="probabilities", **changes):
    return drawn_set(real_of(home), ipc=2, label_kind=kind, **changes)


def load(path):
    return torch.load(path, weights_only=True)


class TestPt:
    def test_files_of_mtt(self, syn, home, tmp_path):
        exported = export_set(syn, tmp_path / "out", "pt", home)
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(p.name for p in exported.files)
        assert torch.equal(load(tmp_path / "out" / "images_best.pt"), syn.images)
        labels, rate = load(tmp_path / "out" / "labels_best.pt"), load(tmp_path / "out" / "lr_best.pt")
        assert labels.dtype == torch.int64 and labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert rate.shape == () and rate == syn.student_lr
        notes = "\n".join(exported.notes)
        assert "mean (0.5, 0.4, 0.3) and std (0.25, 0.2, 0.5)" in notes and "rate 0.05" in notes

    def test_the_softmax_that_datm_takes_gives_the_probabilities_back(self, home, tmp_path):
        syn = soft(home)
        syn.labels[0] = torch.tensor([0.0, 1.0, 0.0])
        notes = export_set(syn, tmp_path / "out", "pt", home).notes
        logits = load(tmp_path / "out" / "labels_best.pt")
        assert logits.isfinite().all()
        torch.testing.assert_close(logits.softmax(1), syn.labels)
        assert any("logarithms" in note for note in notes) and any("TESLA" in note for note in notes)

    def test_nothing_but_the_tensor_is_in_a_file(self, syn, home, tmp_path):
        """A view of a larger tensor is written alone, and no graph goes with it."""
        large = torch.randn(60, 3, 8, 8, requires_grad=True)
        export_set(replace(syn, images=large[:6]), tmp_path / "out", "pt", home)
        assert (tmp_path / "out" / "images_best.pt").stat().st_size < 10_000
        assert not load(tmp_path / "out" / "images_best.pt").requires_grad

    @pytest.mark.parametrize(("kind", "word"), [("identity", "[0, 1]"), ("zca", "whitened")])
    def test_the_space_is_said(self, home, tmp_path, kind, word):
        syn = drawn_set(real_of(home, kind=kind))
        assert word in export_set(syn, tmp_path / "out", "pt", home).notes[0]


class TestDDRanking:
    def test_its_tensors_are_sorted_and_in_its_space(self, syn, home, tmp_path):
        order = torch.tensor([5, 0, 3, 1, 4, 2])
        mixed = replace(syn, images=syn.images[order], labels=syn.labels[order])
        notes = export_set(mixed, out := tmp_path / "out", "ddranking", home).notes
        assert load(out / "labels.pt").tolist() == [0, 0, 1, 1, 2, 2]
        pixels = syn.images * torch.tensor([0.25, 0.2, 0.5]).view(3, 1, 1) + torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)
        mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
        theirs = (pixels[[0, 1, 3, 2, 4, 5]] - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        torch.testing.assert_close(load(out / "images.pt")[:2], theirs[:2], rtol=1e-4, atol=1e-4)
        assert any("anew" in note for note in notes)

    def test_its_configuration(self, home, tmp_path):
        export_set(replace(soft(home, "logits"), network="convnet-d3"), out := tmp_path / "out", "ddranking", home)
        config = yaml.safe_load((out / "config.yaml").read_text())
        assert (config["dataset"], config["ipc"], config["model_name"]) == ("CIFAR10", 2, "ConvNet-3")
        assert (config["soft_label_mode"], config["soft_label_criterion"]) == ("S", "sce")
        assert config["use_zca"] is False and config["im_size"] == [8, 8]
        assert "LabelRobustScoreSoft" in (out / "README.md").read_text()

    def test_what_it_can_not_hold_is_said(self, home, tmp_path):
        syn = drawn_set(real_of(home, name="mine"), lr=None)
        notes = "\n".join(export_set(syn, tmp_path / "out", "ddranking", home).notes)
        assert "no data set mine" in notes and "no network convnet-d1-w4" in notes
        assert not (tmp_path / "out" / "lr.pt").exists()
        assert "syn_lr=None" in (tmp_path / "out" / "README.md").read_text()

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("convnet-d3", "ConvNet-3"),
            ("convnet-d4-bn", "ConvNet-4-BN"),
            ("resnet18-bn", "ResNet-18-BN"),
            ("vgg11", "VGG-11"),
            ("convnet-d3-w64", None),
            ("convnet-d3-ln", None),
            ("timm:resnet10t", None),
        ],
    )
    def test_names_of_networks(self, ours, theirs):
        assert model_name(ours) == theirs


class TestPng:
    def test_torchvision_reads_classes_in_their_order(self, syn, home, tmp_path):
        export_set(syn, out := tmp_path / "out", "png", home)
        listed = ImageFolder(out)
        assert [label for _, label in listed.samples] == syn.labels.tolist()
        assert listed.classes == ["000_cat", "001_n_a_.hidden", "002_nder_score"]
        pixels = syn.images * torch.tensor([0.25, 0.2, 0.5]).view(3, 1, 1) + torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)
        for row, (path, _) in enumerate(listed.samples):
            torch.testing.assert_close(pixels_in(path), pixels[row], rtol=0, atol=0.51 / 255)

    def test_the_json_has_all_else(self, home, tmp_path):
        syn = soft(home, lr=0.25)
        export_set(syn, out := tmp_path / "out", "png", home)
        document = json.loads((out / "set.json").read_text())
        assert document["student_lr"] == 0.25 and document["class_names"] == list(NAMES)
        assert document["provenance"] == syn.provenance and document["label_kind"] == "probabilities"

    def test_names_of_folders_sort_as_classes_do(self):
        names = tuple(f"{99 - label}/.." for label in range(1200))
        folders = [folder_name(label, names) for label in range(1200)]
        assert folders == sorted(folders) and len(set(folders)) == 1200
        assert folder_name(0, ("...",)) == "000"
        assert not any("/" in folder or folder.startswith(".") for folder in folders)

    def test_cut_pixels_are_counted(self, home, tmp_path):
        syn = drawn_set(real_of(home, kind="identity"))
        syn.images[0, 0, 0] = torch.tensor([-0.5, 1.25, 0, 0, 1, 1, 0.5, 0.5])
        notes = export_set(syn, tmp_path / "out", "png", home).notes
        assert notes == ("pixels are rounded to 1/255, and 0.2% of them lay outside [0, 1] and were cut, by up to 0.5",)


class TestParquet:
    def test_layout_of_hugging_face(self, home, tmp_path):
        syn = soft(home)
        (file,) = export_set(syn, tmp_path / "out", "parquet", home).files
        assert file == tmp_path / "out" / "train.parquet"
        table = pq.read_table(file)
        assert table.column_names == ["image", "label", "soft_label"]
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert features["image"] == {"_type": "Image"} and features["label"]["names"] == list(NAMES)
        np.testing.assert_array_equal(np.array(table["soft_label"].to_pylist(), np.float32), syn.labels.numpy())
        assert table["label"].to_pylist() == [0, 0, 1, 1, 2, 2]
        assert table["image"][0].as_py()["bytes"].startswith(b"\x89PNG")

    def test_a_file_of_this_name_and_no_soft_labels_where_there_are_none(self, syn, home, tmp_path):
        (file,) = export_set(syn, tmp_path / "mine.parquet", "parquet", home).files
        assert file == tmp_path / "mine.parquet" and pq.read_table(file).column_names == ["image", "label"]


class TestRefused:
    @pytest.mark.parametrize("format", EXPORTS.names())
    def test_nothing_is_written_over(self, syn, home, tmp_path, format):
        first = export_set(syn, tmp_path / "out", format, home)
        before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
        with pytest.raises(UserError, match="already"):
            export_set(syn, tmp_path / "out", format, home)
        assert before == {path: path.read_bytes() for path in before} and first.files

    @pytest.mark.parametrize("format", ["png", "parquet"])
    def test_no_pictures(self, syn, home, tmp_path, format):
        bad = syn.images.clone()
        bad[3, 0, 0, 0] = float("nan")
        with pytest.raises(UserError, match="NaN"):
            export_set(replace(syn, images=bad), tmp_path / "out", format, home)
        with pytest.raises(UserError, match="2 channels"):
            export_set(replace(syn, images=syn.images[:, :2]), tmp_path / "out", format, home)
        assert not list(tmp_path.iterdir())

    def test_a_whitening_that_is_not_there(self, home, tmp_path):
        syn = drawn_set(real_of(home, kind="zca"))
        with pytest.raises(UserError, match="not in the cache"):
            export_set(syn, tmp_path / "out", "png", tmp_path / "elsewhere")
        assert not list(tmp_path.iterdir())

    def test_a_disk_that_fills_up_leaves_nothing(self, syn, home, tmp_path, monkeypatch):
        def full(image):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("ddbench.formats.export_png.png", full)
        with pytest.raises(OSError, match="No space"):
            export_set(syn, tmp_path / "out", "png", home)
        assert not list(tmp_path.iterdir())


class TestCommand:
    @pytest.fixture
    def file(self, syn, tmp_path):
        syn.save(tmp_path / "synthetic.safetensors")
        return tmp_path / "synthetic.safetensors"

    @pytest.mark.parametrize("format", EXPORTS.names())
    def test_files_and_notes_are_said(self, ddbench, file, tmp_path, home, format):
        said = ddbench.done("export", file, tmp_path / "out", "--format", format, "--home", home).splitlines()
        paths = [line for line in said if not line.startswith("note: ")]
        assert paths and all(line.startswith(str(tmp_path / "out")) for line in paths)

    def test_the_folder_of_a_run_is_its_set(self, ddbench, file, tmp_path, home):
        ddbench.done("export", file.parent, tmp_path / "copy.safetensors", "--format", "native", "--home", home)
        copy, own = load_synthetic(tmp_path / "copy.safetensors"), load_synthetic(file)
        assert torch.equal(copy.images, own.images) and copy.provenance == own.provenance

    def test_what_is_asked_for(self, ddbench, file, tmp_path):
        assert "--format" in ddbench.refused("export", file, tmp_path / "out")
        assert "'png'" in ddbench.refused("export", file, tmp_path / "out", "--format", "pgn")
        assert "no file" in ddbench.refused("export", tmp_path / "nowhere", tmp_path / "out", "--format", "pt")
        file.write_bytes(file.read_bytes()[:-9])
        assert "damaged" in ddbench.refused("export", file, tmp_path / "out", "--format", "pt")

    def test_buffers_have_one_format(self, ddbench, finished_home, tmp_path):
        (buffer,) = finished_home.glob("buffers/*")
        assert "leave out --format" in ddbench.refused("export", buffer, tmp_path / "out", "--format", "pt")
        assert "replay_buffer_0.pt" in ddbench.done("export", buffer, tmp_path / "out")
