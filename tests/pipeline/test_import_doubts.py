"""What people save otherwise than the formats say: taken with a note where nothing is in doubt, else refused with the
line that mends it; and the numbers of images beside those of real ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.foreign_makers import CLASSES, MEAN, STD, drawn, imported, real_set, save, sorted_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddbench.errors import UserError
from ddbench.formats.label_forms import plain_labels
from ddbench.synthetic.synthetic_set import load_synthetic

SAID = {"space": "meanstd", "mean": MEAN, "std": STD, "lr": "none"}
CLASS = sorted_labels(2)

FORMS = {
    "integer one-hot": (torch.eye(CLASSES, dtype=torch.int64)[CLASS], "integer rows"),
    "boolean one-hot": (torch.eye(CLASSES, dtype=torch.bool)[CLASS], "integer rows"),
    "column": (CLASS[:, None], "a column"),
    "float column": (CLASS[:, None].double(), "a column, whole floating"),
    "floats": (CLASS.float(), "whole floating"),
    "halves": (CLASS.half(), "whole floating"),
    "list": (CLASS.tolist(), "a list"),
    "tuple of tensors": (tuple(CLASS), "a list"),
    "list of rows": (torch.eye(CLASSES, dtype=torch.int64)[CLASS].tolist(), "a list, integer rows"),
}


@pytest.mark.parametrize("format", ["tensors", "mtt", "ftd", "datm"])
@pytest.mark.parametrize(("labels", "note"), FORMS.values(), ids=FORMS.keys())
def test_labels_in_another_form_are_taken_with_a_note(tmp_path, format, labels, note):
    save(tmp_path / "images_best.pt", drawn(6))
    save(tmp_path / "labels_best.pt", labels)
    syn = imported(format, tmp_path, **SAID)
    assert torch.equal(syn.labels, CLASS) and syn.label_kind == "hard" and syn.labels.dtype == torch.int64
    assert any(note in said and "one class an image" in said for said in syn.provenance["notes"])


def test_labels_in_the_plain_form_have_no_note(tmp_path):
    save(tmp_path / "images_best.pt", drawn(6))
    save(tmp_path / "labels_best.pt", CLASS.to(torch.int32))
    assert not any("labels" in note for note in imported("mtt", tmp_path, **SAID).provenance["notes"])


@settings(deadline=None)
@given(st.lists(st.integers(-300, 300), min_size=1), st.sampled_from([torch.int64, torch.float32, torch.int16]))
def test_no_form_changes_a_number(numbers, dtype):
    wanted = torch.tensor(numbers)
    for form in (wanted.to(dtype), wanted.to(dtype)[:, None], numbers, tuple(numbers)):
        found, _ = plain_labels(form, Path("x.pt"), "labels")
        assert torch.equal(found.to(torch.int64), wanted)


@pytest.mark.parametrize("format", ["tensors", "mtt", "dc-bench"])
def test_channels_that_come_last_are_moved_with_a_note(tmp_path, format):
    names = ("x_IPC2_normalize_images.pt", "x_IPC2_normalize_labels.pt")
    names = names if format == "dc-bench" else ("images_best.pt", "labels_best.pt")
    save(tmp_path / names[0], (images := drawn(6)).permute(0, 2, 3, 1).contiguous())
    save(tmp_path / names[1], CLASS)
    said = {} if format == "dc-bench" else SAID
    syn = imported(format, tmp_path, **said)
    save(tmp_path / names[0], images)
    assert torch.equal(syn.images, imported(format, tmp_path, **said).images)
    assert any("channels" in note for note in syn.provenance["notes"])


def test_unequal_classes_are_refused_with_the_line_that_cuts_them(tmp_path):
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    save(tmp_path / "images_best.pt", images := drawn(6))
    save(tmp_path / "labels_best.pt", labels)
    with pytest.raises(UserError, match="not taken") as caught:
        imported("mtt", tmp_path, **SAID)
    assert "found 1 of 'b'" in caught.value.facts and "found 3 of 'a'" in caught.value.facts
    line = caught.value.fix.split(":  ", 1)[1].replace("NEW_FILE", "'NEW_FILE'")
    kept = {}
    exec(line.split(";")[0], {"torch": torch, "labels": labels, "range": range}, kept)
    save(tmp_path / "images_best.pt", images[kept["keep"]])
    save(tmp_path / "labels_best.pt", labels[kept["keep"]])
    assert imported("mtt", tmp_path, **SAID).ipc == 1


class TestRanges:
    """Real pixels are drawn evenly from 0 to 255; MEAN and STD are those by which the files were standardized."""

    def real_pixels(self, count=6):
        return real_set().train.images[:count].float() / 255

    def standardized(self):
        return (self.real_pixels() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)

    def doubts(self, tmp_path, images, **facts):
        save(tmp_path / "images_best.pt", images)
        save(tmp_path / "labels_best.pt", CLASS)
        notes = imported("mtt", tmp_path, **{"lr": "none", **facts}).provenance["notes"]
        return [note for note in notes if "doubtful" in note]

    def test_real_images_in_their_own_space_are_beyond_doubt(self, tmp_path):
        assert not self.doubts(tmp_path, self.standardized(), space="meanstd", mean=MEAN, std=STD)
        assert not self.doubts(tmp_path, self.real_pixels(), space="pixels")

    @pytest.mark.parametrize("times", [0.5, 2, 5])
    def test_sets_that_exceed_the_range_by_several_times_are_taken(self, tmp_path, times):
        assert not self.doubts(tmp_path, times * self.standardized(), space="meanstd", mean=MEAN, std=STD)

    @pytest.mark.parametrize("times", [12, 60, 0.05])
    def test_wider_and_narrower_ones_are_said(self, tmp_path, times):
        (said,) = self.doubts(tmp_path, times * self.standardized(), space="meanstd", mean=MEAN, std=STD)
        assert "as wide as real ones" in said

    def test_pixels_of_bytes_as_standardized_ones_are_refused(self, tmp_path):
        with pytest.raises(UserError, match="pixels of 0 to 255") as caught:
            self.doubts(tmp_path, self.real_pixels() * 255, space="meanstd", mean=MEAN, std=STD)
        assert "images / 255" in caught.value.fix and "--space pixels" in caught.value.fix

    def test_pixels_of_bytes_as_pixels_are_refused(self, tmp_path):
        with pytest.raises(UserError, match="no pixels in"):
            self.doubts(tmp_path, self.real_pixels() * 255, space="pixels")

    def test_pixels_as_standardized_ones_are_said(self, tmp_path):
        (said,) = self.doubts(tmp_path, self.real_pixels(), space="meanstd", mean=MEAN, std=STD)
        assert "as of pixels" in said

    def test_standardized_ones_as_pixels_are_refused(self, tmp_path):
        with pytest.raises(UserError, match="look standardized") as caught:
            self.doubts(tmp_path, self.standardized(), space="pixels")
        assert "--space meanstd" in caught.value.fix

    def test_pixels_that_left_their_range_are_said(self, tmp_path):
        (said,) = self.doubts(tmp_path, self.real_pixels() * 1.4 - 0.15, space="pixels")
        assert "outside [0, 1]" in said

    def test_a_set_that_diverged_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="times as wide"):
            self.doubts(tmp_path, 500 * self.standardized(), space="meanstd", mean=MEAN, std=STD)


class TestLabelsAre:
    """Twelve class folders that are called 0 to 11: torchvision sorts them 0, 1, 10, 11, 2, ..."""

    NAMES = [str(number) for number in range(12)]

    @pytest.fixture
    def folder(self, tmp_path):
        """Of class k every pixel is 20 * k."""
        root = tmp_path / "numbered"
        generator = np.random.default_rng(0)
        for name in self.NAMES:
            for part in ("train", "test"):
                (root / part / name).mkdir(parents=True)
                for number in range(4):
                    noise = generator.integers(0, 9, (8, 8, 3), dtype=np.uint8)
                    Image.fromarray(noise + np.uint8(20 * int(name))).save(root / part / name / f"{number}.png")
        return root

    def images(self):
        """One image of each class, in the order of their numbers."""
        return torch.stack([torch.full((3, 8, 8), 20 * k / 255) for k in range(12)])

    def called(self, ddbench, folder, tmp_path, labels, *more, done=True):
        torch.save((self.images(), labels), tmp_path / "both.pt")
        asked = ("import", tmp_path / "both.pt", "--format", "tensors", "--dataset", f"folder:{folder}", "--lr", "none")
        asked += ("--space", "pixels", "--network", "convnet-d1-w4", "--home", tmp_path / "home", *more)
        return ddbench.done(*asked) if done else ddbench.refused(*asked)

    def names_by_image(self, tmp_path):
        (path,) = (tmp_path / "home" / "imported").glob("*.safetensors")
        syn = load_synthetic(path)
        return [syn.class_names[label] for label in syn.labels.tolist()]

    def test_each_reading_gives_every_image_its_own_folder(self, ddbench, folder, tmp_path):
        positions = torch.tensor([sorted(self.NAMES).index(name) for name in self.NAMES])
        out = self.called(ddbench, folder, tmp_path, positions, "--labels-are", "position")
        assert self.names_by_image(tmp_path) == self.NAMES and "2 is '10'" in out

    def test_numbers_as_names(self, ddbench, folder, tmp_path):
        out = self.called(ddbench, folder, tmp_path, torch.arange(12), "--labels-are", "name")
        assert self.names_by_image(tmp_path) == self.NAMES and "2 is '2'" in out

    def test_it_is_asked_where_the_readings_differ(self, ddbench, folder, tmp_path):
        said = self.called(ddbench, folder, tmp_path, torch.arange(12), done=False)
        assert "--labels-are position|name" in said and "2 is the folder '10'" in said

    def test_columns_of_soft_labels_follow(self, ddbench, folder, tmp_path):
        soft = torch.eye(12)[torch.tensor([sorted(self.NAMES).index(name) for name in self.NAMES])]
        more = ("--labels-are", "position", "--labels", "probabilities")
        self.called(ddbench, folder, tmp_path, soft, *more)
        (path,) = (tmp_path / "home" / "imported").glob("*.safetensors")
        syn = load_synthetic(path)
        assert [syn.class_names[label] for label in syn.labels.argmax(1).tolist()] == self.NAMES

    def test_where_no_class_is_called_by_a_number(self, tmp_path):
        save(tmp_path / "images_best.pt", drawn(6))
        save(tmp_path / "labels_best.pt", CLASS)
        with pytest.raises(UserError, match="called by numbers"):
            imported("mtt", tmp_path, labels_are="name", **SAID)
