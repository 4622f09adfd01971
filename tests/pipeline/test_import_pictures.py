"""Sets that come as pictures: which class a folder is, in which order images come, and what is asked for."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.evaluation_makers import tiny_real, tiny_split
from helpers.picture_makers import (
    CLASSES,
    SIZE,
    drawn_set,
    imported,
    numbered_folder,
    picture,
    pixels_in,
    real_of,
    save_batches,
    stored_batches,
)
from PIL import Image

from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.formats.class_folders import classes_by_name
from ddbench.formats.export import export_set
from ddbench.formats.pictures import read_pictures
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def real(home):
    return real_of(home)


def pixels(syn, real):
    return real.preprocessing.inverse(syn.images)


def of_classes(count, names=None, name="mine"):
    """A real set that has so many classes; only its names matter."""
    return replace(SMALL, class_names=tuple(names or map(chr, range(97, 97 + count))), name=name)


SMALL = real_of(None)


class TestNames:
    @pytest.mark.parametrize(
        ("names", "classes"),
        [
            (["c", "a", "b"], [2, 0, 1]),
            (["00002", "00000", "00001"], [2, 0, 1]),
            (["new1", "new02", "new000"], [1, 2, 0]),
            (["x", "z", "y"], [0, 2, 1]),
            (["7", "3", "5"], [2, 0, 1]),
        ],
    )
    def test_three_classes(self, names, classes, tmp_path):
        assert classes_by_name(names, of_classes(3), tmp_path)[0] == classes

    def test_numbers_are_no_text(self, tmp_path):
        names = sorted(str(number) for number in range(12))
        assert classes_by_name(names, of_classes(12), tmp_path)[0] == [int(name) for name in names]

    def test_a_subset_of_imagenet_has_an_order_of_its_own(self, tmp_path):
        """Imagewoof's labels do not follow the numbers of its classes, nor their wnids."""
        woof = (193, 182, 258, 162, 155, 167, 159, 273, 207, 229)
        real = of_classes(10, name="imagewoof")
        assert classes_by_name([f"new{number}" for number in sorted(woof)], real, tmp_path)[0] == [
            woof.index(number) for number in sorted(woof)
        ]
        assert classes_by_name([f"{label:05d}" for label in range(10)], real, tmp_path)[0] == list(range(10))
        wnids = ["n02096294", "n02093754", "n02111889", "n02088364", "n02086240"]
        wnids += ["n02089973", "n02087394", "n02115641", "n02099601", "n02105641"]
        assert classes_by_name(sorted(wnids), real, tmp_path)[0] == [wnids.index(wnid) for wnid in sorted(wnids)]

    def test_names_in_another_order_are_said_to_be_taken_so(self, tmp_path):
        _, note = classes_by_name(["x", "z", "y"], of_classes(3), tmp_path)
        assert "order of their names" in note and "'x' for 'a'" in note

    @pytest.mark.parametrize(("names", "words"), [(["a", "b"], "2 folders"), (["a", "b", "x"], "no class")])
    def test_what_does_not_fit(self, names, words, tmp_path):
        with pytest.raises(UserError, match=words):
            classes_by_name(names, of_classes(3), tmp_path)


class TestFolders:
    @pytest.mark.parametrize("format", ["sre2l", "cda", "dwa", "ufc"])
    def test_numbered_folders(self, real, tmp_path, format):
        root = numbered_folder(tmp_path, ipc=2)
        syn = imported(format, root, real)
        assert syn.labels.tolist() == [0, 0, 1, 1, 2, 2] and syn.student_lr is None
        assert syn.method == {"ufc": "infer"}.get(format, format)
        for row in range(6):
            file = root / f"new{row // 2:03d}" / f"class{row // 2:03d}_id{row % 2:03d}.png"
            torch.testing.assert_close(pixels(syn, real)[row], pixels_in(file), rtol=0, atol=1e-5)
        assert len(syn.provenance["imported"]["files"]) == 6

    def test_jpeg_is_decoded_as_pillow_does(self, real, tmp_path):
        root = numbered_folder(tmp_path, ipc=1, suffix="jpg")
        syn = imported("sre2l", root, real)
        wanted = pixels_in(root / "new001" / "class001_id000.jpg")
        torch.testing.assert_close(pixels(syn, real)[1], wanted, rtol=0, atol=1e-5)

    def test_a_file_in_the_folder_of_another_class(self, real, tmp_path):
        root = numbered_folder(tmp_path, ipc=1)
        (root / "new001" / "class001_id000.png").rename(root / "new001" / "class002_id000.png")
        with pytest.raises(UserError, match="not named as these methods"):
            imported("sre2l", root, real)

    def test_rded_and_plain_folders(self, real, tmp_path):
        for label in range(CLASSES):
            for context in (2, 10):
                picture(tmp_path / f"{label:05d}" / f"{context}.png", 10 * label + context)
        syn = imported("rded", tmp_path, real)
        assert syn.method == "rded" and syn.student_lr is None
        torch.testing.assert_close(pixels(syn, real)[0], pixels_in(tmp_path / "00000" / "2.png"), rtol=0, atol=1e-5)
        with pytest.raises(UserError) as asked:
            imported("image-folder", tmp_path, real)
        assert "--lr" in asked.value.fix
        plain = imported("image-folder", tmp_path, real, lr=0.01)
        assert torch.equal(plain.images, syn.images) and plain.student_lr == torch.tensor(0.01)

    def test_ddranking_folders(self, real, tmp_path):
        for label in range(CLASSES):
            for context in (9, 10):
                picture(tmp_path / f"{label:05d}" / f"{context}.png", 20 * label + context)
        listed = torch.randn(6, CLASSES)
        torch.save(listed, tmp_path / "labels.pt")
        torch.save(torch.tensor(0.02), tmp_path / "lr.pt")
        syn = imported("ddranking-images", tmp_path, real)
        assert syn.label_kind == "logits" and syn.student_lr == torch.tensor(0.02)
        # ours: 9 before 10; torchvision's, which the labels follow: 10 before 9
        torch.testing.assert_close(pixels(syn, real)[0], pixels_in(tmp_path / "00000" / "9.png"), rtol=0, atol=1e-5)
        assert torch.equal(syn.labels, listed[[1, 0, 3, 2, 5, 4]])
        torch.save(listed[:5], tmp_path / "labels.pt")
        with pytest.raises(UserError, match="5 labels, but there are 6 images"):
            imported("ddranking-images", tmp_path, real)

    def test_classes_of_different_sizes(self, real, tmp_path):
        root = numbered_folder(tmp_path, ipc=2)
        (root / "new001" / "class001_id000.png").unlink()
        with pytest.raises(UserError, match="different numbers"):
            imported("sre2l", root, real)
        picture(root / "new002" / "class002_id002.png", 1)
        with pytest.raises(UserError, match="different numbers"):
            imported("sre2l", root, real)

    @pytest.mark.parametrize("format", ["image-folder", "ddranking-images", "png"])
    def test_paths_that_are_no_such_folder(self, real, tmp_path, format):
        (tmp_path / "file").write_text("x")
        for path in (tmp_path / "nowhere", tmp_path, tmp_path / "file"):
            with pytest.raises(UserError):
                imported(format, path, real)
        with pytest.raises(UserError, match="beside it"):
            imported(format, numbered_folder(tmp_path / "set"), real, others=(tmp_path,))


class TestPictures:
    def test_grey_pictures_of_a_color_set_and_color_ones_of_a_grey_set(self, real, home, tmp_path):
        root = numbered_folder(tmp_path, ipc=1)
        picture(root / "new001" / "class001_id000.png", 5, channels=1)
        syn = imported("sre2l", root, real)
        grey = pixels_in(root / "new001" / "class001_id000.png").expand(3, -1, -1)
        torch.testing.assert_close(pixels(syn, real)[1], grey, rtol=0, atol=1e-5)
        with pytest.raises(UserError, match="in color"):
            imported("sre2l", root, real_of(home, channels=1))

    def test_of_another_size(self, real, tmp_path):
        root = numbered_folder(tmp_path, ipc=1)
        picture(root / "new001" / "class001_id000.png", 5, side=SIZE + 1)
        with pytest.raises(UserError, match="9 x 9") as refused:
            imported("sre2l", root, real)
        assert "--size" in refused.value.fix

    def test_of_sixteen_bits(self, real, tmp_path):
        root = numbered_folder(tmp_path, ipc=1)
        Image.fromarray(np.zeros((SIZE, SIZE), np.uint16)).save(root / "new001" / "class001_id000.png")
        with pytest.raises(UserError, match="8 bits"):
            imported("sre2l", root, real)

    def test_more_images_than_real_ones(self, real, tmp_path):
        with pytest.raises(UserError, match="60 for training"):
            imported("sre2l", numbered_folder(tmp_path, ipc=21), real)


class TestPng:
    def test_facts_come_back(self, real, home, tmp_path):
        export_set(drawn_set(real, lr=None), tmp_path / "out", "png", home)
        syn = imported("png", tmp_path / "out", real)
        assert syn.student_lr is None and "made by datm on cifar10" in " ".join(syn.provenance["notes"])
        assert imported("png", tmp_path / "out", real, network=None).network == "convnet-d1-w4"

    def test_for_other_data(self, real, home, tmp_path):
        export_set(drawn_set(real), tmp_path / "out", "png", home)
        with pytest.raises(UserError, match="other classes") as refused:
            imported("png", tmp_path / "out", of_classes(3))
        assert "'cat' where 'a' is" in str(refused.value)
        other = imported("png", tmp_path / "out", real_of(home, kind="zca"))
        assert any("other preprocessing" in note for note in other.provenance["notes"])

    def test_parts_that_are_missing_or_changed(self, real, home, tmp_path):
        export_set(drawn_set(real), out := tmp_path / "out", "png", home)
        document = json.loads((out / "set.json").read_text())
        for key, value in (("images", 7), ("formation", 0), ("label_kind", "soft"), ("student_lr", "x"), ("ipc", None)):
            (out / "set.json").write_text(json.dumps({**document, key: value}))
            if key == "ipc":
                assert len(imported("png", out, real)) == 6
                continue
            with pytest.raises(UserError):
                imported("png", out, real)
        for key in document:
            (out / "set.json").write_text(json.dumps({name: value for name, value in document.items() if name != key}))
            try:
                imported("png", out, real)
            except UserError as error:
                assert str(out) in str(error)
        (out / "set.json").write_text(json.dumps(document))
        next(out.glob("*/00003.png")).unlink()
        with pytest.raises(UserError, match="5 pictures"):
            imported("png", out, real)


def test_command_takes_pictures_with_their_labels(ddbench, tmp_path):
    """Digits as SRe2L would store them, through the command line; and what it refuses there."""
    root = tmp_path / "set"
    for label in range(10):
        for context in range(2):
            picture(root / f"new{label:03d}" / f"class{label:03d}_id{context:03d}.png", label + context, channels=1)
    made, _ = stored_batches(torch.arange(10).repeat_interleave(2), 1, teacher=0.0, classes=10)
    labels = save_batches(tmp_path / "labels", made)
    asked = ("import", root, "--format", "sre2l", "--dataset", "digits", "--network", "convnet-d2", "--home", tmp_path)
    refused = ddbench.refused(*asked, "--labels-from", labels)
    assert "--order" in refused
    said = ddbench.done(*asked, "--labels-from", labels, "--order", "sampler:42", "--out", tmp_path / "s.safetensors")
    assert "sre2l on digits, ipc 2" in said and "order of the labels as asked" in said
    assert load_synthetic(tmp_path / "s.safetensors").label_versions == 1
    assert "--labels-from" in ddbench.refused(*asked, "--order", "listed")
    wrong = ddbench.refused(
        "import",
        tmp_path / "x.parquet",
        "--format",
        "mtt",
        "--dataset",
        "digits",
        "--order",
        "listed",
        "--home",
        tmp_path,
    )
    assert "x.parquet" in wrong


def test_transparent_and_turned_pictures_are_read_as_those_of_data_sets_are(tmp_path):
    color = replace(
        tiny_real(),
        train=tiny_split(30, 1, channels=3),
        test=tiny_split(15, 3, channels=3),
        validation=tiny_split(6, 2),
    )
    rng = np.random.default_rng(4)
    array = rng.integers(0, 256, (8, 8, 4), dtype=np.uint8)
    array[..., 3] = np.where(np.arange(8)[:, None] < 4, 255, 0)
    Image.fromarray(array, "RGBA").save(tmp_path / "alpha.png")
    upright = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    pictures = [Picture(name, tmp_path / name) for name in ("alpha.png", "turned.png")]
    alpha, turned = read_pictures(pictures, 2, color).mul(255).round().byte()
    opaque = torch.from_numpy(array[:4, :, :3].copy()).permute(2, 0, 1)
    assert bool((alpha[:, 4:] == 255).all()) and torch.equal(alpha[:, :4], opaque)
    assert torch.equal(turned, torch.from_numpy(np.asarray(upright).copy()).permute(2, 0, 1))
