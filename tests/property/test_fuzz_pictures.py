"""Pictures, Parquet files and stored labels that were damaged or made to harm: one clear error, and no code run."""

import io
import json
import os
import pickle
import random
import shutil
import struct
import zipfile
import zlib

import pytest
import torch
from helpers.picture_makers import CLASSES, drawn_set, imported, numbered_folder, real_of, save_batches, stored_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddbench.errors import UserError
from ddbench.formats.export import export_set
from ddbench.synthetic.synthetic_set import SyntheticSet

IPC = 2
LABELS = torch.arange(CLASSES).repeat_interleave(IPC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def real(home):
    return real_of(home)


@pytest.fixture(scope="module")
def whole(home, real, tmp_path_factory):
    """One good set in each of the formats, by name, with the facts that it is imported with."""
    root = tmp_path_factory.mktemp("whole")
    soft = drawn_set(real, IPC, "probabilities")
    export_set(soft, root / "png", "png", home)
    export_set(soft, root / "parquet", "parquet", home)
    numbered_folder(root / "sre2l", IPC)
    numbered_folder(root / "jpeg", IPC, "jpg")
    numbered_folder(root / "labeled", IPC)
    numbered_folder(root / "ddranking-images", IPC)
    torch.save(soft.labels, root / "ddranking-images" / "labels.pt")
    torch.save(torch.tensor(0.1), root / "ddranking-images" / "lr.pt")
    save_batches(root / "labeled" / "labels", stored_batches(LABELS, teacher=9.0)[0])
    return root


FORMATS = {"png": "png", "parquet": "parquet", "sre2l": "sre2l", "jpeg": "cda", "ddranking-images": "ddranking-images"}


def read(root, name, real):
    """The set, or None for the one clear error that is allowed."""
    facts = {"order": "sampler:42", "epoch_labels": root / name / "labels"} if name == "labeled" else {}
    if name == "labeled":
        moved = root / name / "pictures"
        if not moved.exists():
            moved.mkdir()
            for folder in (root / name).glob("new*"):
                folder.rename(moved / folder.name)
    path = root / name / "pictures" if name == "labeled" else root / name
    try:
        return imported(FORMATS.get(name, "sre2l"), path, real, **facts)
    except UserError as error:
        assert error.problem and error.fix and len(str(error)) < 2000
        return None


def check(syn):
    """A whole set: what came through the damage can be trained on."""
    assert isinstance(syn, SyntheticSet) and len(syn) == CLASSES * IPC
    assert syn.images.isfinite().all() and syn.labels.isfinite().all()


@pytest.mark.parametrize("name", [*FORMATS, "labeled"])
def test_undamaged_files_are_read(whole, real, name):
    check(read(whole, name, real))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*FORMATS, "labeled"]), st.integers(0, 10**9), st.sampled_from(["cut", "flip", "noise", "grow"]))
def test_damage_is_an_error_or_harmless(whole, real, tmp_path_factory, name, seed, harm):
    root = tmp_path_factory.mktemp("damaged")
    shutil.copytree(whole / name, root / name)
    damage(root / name, seed, harm)
    syn = read(root, name, real)
    if syn is not None:
        check(syn)


def damage(folder, seed, harm):
    """Cut a file short, flip a few bits, overwrite a part with noise, or append to it."""
    chosen = random.Random(seed)
    file = chosen.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    content = bytearray(file.read_bytes())
    if harm == "cut":
        content = content[: chosen.randrange(len(content))]
    elif harm == "flip":
        for _ in range(chosen.choice([1, 8])):
            content[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
    elif harm == "noise":
        start = chosen.randrange(len(content))
        content[start : start + 40] = chosen.randbytes(len(content[start : start + 40]))
    else:
        content += chosen.randbytes(100)
    file.write_bytes(content)


class Harm:
    """Unpickling it runs a command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


class TestMalice:
    @pytest.fixture
    def marker(self, tmp_path):
        yield tmp_path / "ran"
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("index", range(6))
    def test_code_in_stored_labels(self, whole, real, tmp_path, marker, index):
        shutil.copytree(whole / "labeled", tmp_path / "labeled")
        file = tmp_path / "labeled" / "labels" / "epoch_1" / "batch_0.tar"
        values = stored_batches(LABELS)[0][1][0]
        values[index] = Harm(marker)
        torch.save(values, file)
        assert read(tmp_path, "labeled", real) is None
        torch.save(values, file, _use_new_zipfile_serialization=False)
        assert read(tmp_path, "labeled", real) is None
        file.write_bytes(pickle.dumps(values[index]))
        assert read(tmp_path, "labeled", real) is None

    @pytest.mark.parametrize("name", ["labels.pt", "lr.pt"])
    def test_code_beside_pictures(self, whole, real, tmp_path, marker, name):
        shutil.copytree(whole / "ddranking-images", tmp_path / "ddranking-images")
        torch.save(Harm(marker), tmp_path / "ddranking-images" / name)
        assert read(tmp_path, "ddranking-images", real) is None

    @pytest.mark.parametrize("suffix", ["png", "jpg"])
    def test_postscript_that_is_called_a_picture(self, whole, real, tmp_path, marker, suffix):
        """Pillow would hand it to Ghostscript, whatever it is called."""
        script = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n({marker}) (w) file closefile showpage\n%%EOF\n"
        assert refused_as_picture(script.encode(), whole, real, tmp_path, suffix)

    def test_pictures_that_grow(self, whole, real, tmp_path):
        """A small file that says it is a huge picture is refused before it is decoded, as is one of many frames."""
        for side in (60_000, 13_000, 4_000):
            assert refused_as_picture(png_header(side), whole, real, tmp_path, "png")
        frames = [Image.new("L", (3000, 3000)) for _ in range(2)]
        file = io.BytesIO()
        frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:])
        assert refused_as_picture(file.getvalue(), whole, real, tmp_path, "png")

    def test_text_that_grows(self, whole, real, tmp_path):
        """A compressed comment in a PNG that unpacks to 20 MB."""
        bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**7), 9))
        content = png_header(8)
        assert refused_as_picture(content[:33] + bomb + content[33:], whole, real, tmp_path, "png")

    def test_things_that_are_no_files(self, whole, real, tmp_path):
        """Opening a pipe would wait for ever."""
        shutil.copytree(whole / "sre2l", tmp_path / "sre2l")
        file = tmp_path / "sre2l" / "new000" / "class000_id000.png"
        file.unlink()
        os.mkfifo(file)
        assert read(tmp_path, "sre2l", real) is None
        file.unlink()
        file.mkdir()
        assert read(tmp_path, "sre2l", real) is None
        file.rmdir()
        file.symlink_to("/dev/zero")
        assert read(tmp_path, "sre2l", real) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"images": 10**18},
            {"images": -1},
            {"formation": 10**18},
            {"formation": True},
            {"student_lr": -1.0},
            {"student_lr": 1e999},
            {"student_lr": [1]},
            {"class_names": None},
            {"class_names": "abc"},
            {"class_names": {"cat": 0}},
            {"preprocessing": []},
            {"epoch_labels": {"batch": -1}},
            {"epoch_labels": {"batch": 4, "mixing": "cutmix"}},
            {"epoch_labels": []},
            {"label_kind": ["hard"]},
            {"label_kind": "hard"},
            {"method": None},
        ],
    )
    def test_documents_that_say_something_else(self, whole, real, tmp_path, changes):
        shutil.copytree(whole / "png", tmp_path / "png")
        document = json.loads((tmp_path / "png" / "set.json").read_text())
        (tmp_path / "png" / "set.json").write_text(json.dumps({**document, **changes}))
        syn = read(tmp_path, "png", real)
        assert syn is None or changes == {"method": None}

    @pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", "[" * 100_000, '{"a": NaN}', "\x00"])
    def test_documents_that_are_none(self, whole, real, tmp_path, text):
        shutil.copytree(whole / "png", tmp_path / "png")
        (tmp_path / "png" / "set.json").write_text(text)
        assert read(tmp_path, "png", real) is None

    def test_archives_that_grow(self, whole, real, tmp_path):
        shutil.copytree(whole / "labeled", tmp_path / "labeled")
        file = tmp_path / "labeled" / "labels" / "epoch_0" / "batch_0.tar"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10**7))
        assert read(tmp_path, "labeled", real) is None


def refused_as_picture(content, whole, real, folder, suffix):
    """Whether a set is refused in which one picture has this content."""
    shutil.rmtree(folder / "sre2l", ignore_errors=True)
    shutil.copytree(whole / "sre2l", folder / "sre2l")
    file = folder / "sre2l" / "new001" / "class001_id000.png"
    file.unlink()
    file.with_suffix(f".{suffix}").write_bytes(content)
    return read(folder, "sre2l", real) is None


def png_header(side):
    """A PNG that says how large it is, and has next to no pixels."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
