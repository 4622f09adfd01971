"""Files that are damaged or hostile: one clean error each, in bounded memory and time, and nothing run."""

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.data_makers import encoded, pixels, write_folder, write_parquet
from test_data_arrays import write_mnist

from ddbench.data import RealSet, load_dataset, parquet_reader
from ddbench.data import pixels as pixels_module
from ddbench.data.npz_file import read_npz
from ddbench.errors import UserError


def load(name: str, tmp_path: Path, **choice) -> RealSet:
    settings = {"validation": 0, "preprocessing": "identity", "home": tmp_path / "home", "quiet": True, **choice}
    return load_dataset(name, **settings)


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 4), ("test", 2)):
        write_folder(tmp_path / "set" / part, {"ant": count, "bee": count})
    return tmp_path / "set"


def said_and_taken(name: str, tmp_path: Path) -> tuple[str, int]:
    """The error of loading a set in a process of its own, and the bytes of memory that loading takes there at most."""
    code = f"""
import sys; sys.path[:0] = {[path for path in sys.path if path]!r}
import resource
from pathlib import Path
import ddbench.data.parquet
from ddbench.data import load_dataset
from ddbench.errors import UserError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
try:
    load_dataset({name!r}, home=Path("home"), quiet=True)
except UserError as error:
    print(peak() - before, error)
"""
    given = [sys.executable, "-c", code]
    done = subprocess.run(given, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=True)
    taken, _, said = done.stdout.partition(" ")
    return said, int(taken)


def test_a_link_to_nothing_is_named(tmp_path, folder):
    (folder / "train" / "bee" / "9999.png").symlink_to("../../nowhere.png")
    with pytest.raises(UserError, match=r"bee/9999\.png is a link to nothing") as caught:
        load(f"folder:{folder}", tmp_path)
    assert "nowhere.png" in str(caught.value) and "remove it" in caught.value.fix


def test_a_class_folder_that_is_a_link_to_nothing_is_named(tmp_path, folder):
    (folder / "train" / "cow").symlink_to("/nowhere/cow")
    with pytest.raises(UserError, match="train/cow is a link to nothing"):
        load(f"folder:{folder}", tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_only_regular_files_are_read(tmp_path, folder, kind):
    path = folder / "train" / "bee" / "9999.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=rf"9999\.png is a {kind}"):
        load(f"folder:{folder}", tmp_path)


def huge_png(width: int, height: int) -> bytes:
    """A PNG file whose header says so many pixels, and whose rows are all zero: small, and whole."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(b"\0" * (1 + width)) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_pictures_have_a_limit_of_pixels(tmp_path, folder, monkeypatch):
    (folder / "train" / "bee" / "9999.png").write_bytes(huge_png(13_300, 13_300))
    with pytest.raises(UserError, match=r"9999\.png has too many pixels") as caught:
        load(f"folder:{folder}", tmp_path, size=6)
    assert "176,890,000 pixels" in str(caught.value)
    (folder / "train" / "bee" / "9999.png").write_bytes(huge_png(3_000, 3_000))
    assert len(load(f"folder:{folder}", tmp_path, size=6).train) == 9
    monkeypatch.setattr(pixels_module, "MOST_BYTES", 100)
    with pytest.raises(UserError, match="too large for a picture"):
        load(f"folder:{folder}", tmp_path / "other", size=6)


@pytest.mark.parametrize("name", ["caf\udce9", "with\0nul", "x" * 5000])
def test_names_that_cannot_be_written_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be a name") as caught:
        load(f"folder:{tmp_path}/{name}", tmp_path)
    str(caught.value).encode()


def test_a_name_too_long_for_the_system_is_no_folder(tmp_path):
    for prefix in ("folder", "parquet", "npz"):
        with pytest.raises(UserError, match="there is no folder|cannot be read|too long"):
            load(f"{prefix}:{tmp_path}/{'x' * 300}", tmp_path)


def test_a_class_folder_that_is_not_utf8_is_refused(tmp_path, folder):
    os.rename(os.fsencode(folder / "train" / "bee"), os.fsencode(folder / "train") + b"/caf\xe9")
    with pytest.raises(UserError, match=r"caf\\xe9 is not UTF-8") as caught:
        load(f"folder:{folder}", tmp_path)
    str(caught.value).encode()


def test_file_names_that_are_not_utf8_are_read_and_can_be_shown(tmp_path, folder):
    os.rename(os.fsencode(folder / "train" / "bee" / "000.png"), os.fsencode(folder / "train" / "bee") + b"/\xe9.png")
    assert len(load(f"folder:{folder}", tmp_path).train) == 8
    Path(os.fsdecode(os.fsencode(folder / "train" / "bee") + b"/\xe9.png")).write_bytes(b"no image")
    with pytest.raises(UserError, match=r"\\xe9\.png is not a readable image") as caught:
        load(f"folder:{folder}", tmp_path)
    str(caught.value).encode()


def test_a_current_folder_that_is_gone_is_said(tmp_path):
    (tmp_path / "gone").mkdir()
    code = (
        "import os; os.chdir('gone'); os.rmdir('../gone')\n"
        "from ddbench.data.sources import check_dataset_name\nfrom ddbench.errors import UserError\n"
        "try: check_dataset_name('folder:set')\nexcept UserError as error: print(error)"
    )
    given = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", given], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "current folder does not exist" in done.stdout, done.stderr


def good_arrays() -> dict[str, np.ndarray]:
    images, labels = pixels(1, (4, 5, 5, 3)), np.array([0, 1, 0, 1])
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


def member(array: np.ndarray, shape: str | None = None) -> bytes:
    """The bytes of an array in numpy's format, whose header may claim another shape."""
    file = io.BytesIO()
    np.save(file, array)
    if shape is None:
        return file.getvalue()
    head = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    head = head.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + array.tobytes()


def write_npz(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return f"npz:{path}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": member(pixels(1, (4, 5, 5, 3)), "(1000000000000, 8, 8, 3)")}, "claims another size"),
        ({"x_train": member(pixels(1, (4, 5, 5, 3)), "(4, -5, -5, 3)")}, "not a readable"),
        ({"x_train": member(pixels(1, (4, 5, 5, 3)), "[4, 5, 5, 3]")}, "not a readable"),
        ({"x_train": member(pixels(1, (4, 5, 5, 3)), "(" * 500)}, "not a readable"),
        ({"x_train": member(np.zeros((4, 0, 0, 3), np.uint8))}, "no pixels"),
        ({"x_train": member(np.zeros((0, 5, 5, 3), np.uint8)), "y_train": member(np.zeros(0, int))}, "one integer"),
        ({"y_train": member(np.array([0, 1, 0, 2**40]))}, "have gaps"),
        ({"y_train": member(np.array([0, 1, 0, 2**64 - 1], np.uint64))}, "holds 18446744073709551615"),
        ({"y_train": member(np.eye(4, dtype=np.int64))}, "one integer an image"),
        ({"class_names": member(np.array("ant"))}, "one name a class"),
        ({"class_names": member(np.array([b"\xe9", b"b"]))}, "not UTF-8"),
        ({"class_names": member(np.array(["a", "b", "c"]))}, "1 of the 3 classes"),
        ({"x_train": b"\x93NUMPY\x01\x00"}, "not a readable"),
        ({"x_train": b""}, "not a readable"),
    ],
)
def test_arrays_that_lie_are_refused(tmp_path, change, message):
    members = {name: member(array) for name, array in good_arrays().items()}
    with pytest.raises(UserError, match=message):
        load(write_npz(tmp_path / "set.npz", {**members, **change}), tmp_path)


def test_compressed_arrays_are_read_as_numpy_reads_them(tmp_path):
    arrays = {**good_arrays(), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "big": np.arange(3, dtype=">i4")}
    np.savez_compressed(tmp_path / "set.npz", **arrays)
    found = read_npz(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as wanted:
        assert set(found) == set(wanted.files)
        for name in wanted.files:
            assert np.array_equal(found[name], wanted[name]) and found[name].dtype.isnative
    assert len(load(f"npz:{tmp_path / 'set.npz'}", tmp_path).train) == 4


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    head = member(np.zeros(0, np.uint8), "(400000, 32, 32, 3)")
    with zipfile.ZipFile(tmp_path / "set.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x_train.npy", "w") as file:
            file.write(head)
            for _ in range(1200):
                file.write(bytes(1024 * 1000))
        archive.writestr("y_train.npy", member(np.zeros(400_000, np.int64)))
    assert (tmp_path / "set.npz").stat().st_size < 6_000_000
    with pytest.raises(UserError, match="claims to hold more than it can"):
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)


@pytest.mark.parametrize("method", [1, 12, 99])
def test_other_ways_of_compressing_are_refused(tmp_path, method):
    where = write_npz(tmp_path / "set.npz", {name: member(array) for name, array in good_arrays().items()})
    data = bytearray((tmp_path / "set.npz").read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 10 : at + 12] = struct.pack("<H", method)
        at += 1
    (tmp_path / "set.npz").write_bytes(data)
    with pytest.raises(UserError, match="not a readable"):
        load(where, tmp_path)


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (lambda x: x / 255, "x_train = (x_train * 255).round().astype(np.uint8)"),
        (lambda x: x.astype(np.float32), "x_train = x_train.round().astype(np.uint8)"),
        (lambda x: x.astype(np.int64), "x_train = x_train.astype(np.uint8)"),
        (lambda x: x / 127.5 - 1, "x_train = ((x_train + 1) * 127.5).round().astype(np.uint8)"),
    ],
)
def test_the_line_that_converts_an_array_does(tmp_path, array, line):
    wanted = pixels(1, (4, 5, 5, 3))
    arrays = {**good_arrays(), "x_train": array(wanted)}
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(UserError, match="does not hold images") as caught:
        load(f"npz:{tmp_path / 'set.npz'}", tmp_path)
    assert line in caught.value.fix
    scope = {"np": np, "x_train": arrays["x_train"]}
    exec(line, scope)  # what the user would type
    assert np.array_equal(scope["x_train"], wanted)


def test_every_error_of_a_file_names_the_line_of_the_recipe(tmp_path, folder):
    (folder / "train" / "bee" / "000.png").write_bytes(b"no image")
    for name in (f"folder:{folder}", f"npz:{folder}/set.npz", f"parquet:{folder}"):
        with pytest.raises(UserError) as caught:
            load(name, tmp_path, where="mtt.yaml, line 2: dataset")
        assert sum("mtt.yaml, line 2" in fact for fact in caught.value.facts) == 1


def test_names_as_bytes_are_decoded(tmp_path):
    np.savez(tmp_path / "set.npz", **good_arrays(), class_names=np.array([b"ant", b"bee"]))
    assert load(f"npz:{tmp_path / 'set.npz'}", tmp_path).class_names == ("ant", "bee")


def write_shared_cell(folder: Path, cell: bytes, rows: int) -> None:
    """Parquet files of which one cell, kept once, stands in every row."""
    for part, count in (("train", rows), ("test", 4)):
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        images = pa.array([{"bytes": cell, "path": None}] * count, kind)
        table = pa.table({"image": images, "label": pa.array([row % 2 for row in range(count)], pa.int64())})
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{part}.parquet", compression="zstd", dictionary_pagesize_limit=1 << 30)


def test_a_cell_that_many_rows_share_is_bounded(tmp_path):
    write_shared_cell(tmp_path / "set", encoded(pixels(1, (8, 8, 3))) + bytes(1 << 21), 200)
    assert (tmp_path / "set" / "train.parquet").stat().st_size < 10_000
    said, taken = said_and_taken("parquet:set", tmp_path)
    assert "claims to hold more than it can" in said and taken < 800_000_000


def test_the_header_of_a_dictionary_page_is_read(tmp_path):
    write_shared_cell(tmp_path / "set", encoded(pixels(1, (8, 8, 3))) + bytes(1 << 20), 10)
    path = tmp_path / "set" / "train.parquet"
    with parquet_reader.opened(path) as file:
        assert parquet_reader._rows_at_once(file, "image", path) == parquet_reader.BATCH_BYTES // (
            len(encoded(pixels(1, (8, 8, 3)))) + (1 << 20) + 4
        )


@pytest.mark.parametrize("text", [b"{", b"[1]", b'{"info": 3}', b"\xff\xfe", b"[" * 100_000])
def test_damaged_metadata_of_hugging_face_is_one_error(tmp_path, text):
    write_parquet(tmp_path / "set" / "train.parquet", pixels(1, (4, 5, 5, 3)), [0, 1, 0, 1], text)
    write_parquet(tmp_path / "set" / "test.parquet", pixels(1, (4, 5, 5, 3)), [0, 1, 0, 1])
    with pytest.raises(UserError, match="Hugging Face metadata of .* is damaged"):
        load(f"parquet:{tmp_path / 'set'}", tmp_path)


def test_parquet_mutants_are_read_or_refused(tmp_path):
    images = np.stack([pixels(row, (6, 6, 3)) for row in range(8)])
    write_parquet(tmp_path / "set" / "test.parquet", images, [0, 1] * 4)
    path = tmp_path / "set" / "train.parquet"
    write_parquet(path, images, [0, 1] * 4)
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(int(draw.integers(1, 4))):
            data[int(draw.integers(len(data)))] = int(draw.integers(256))
        path.write_bytes(data[: int(draw.integers(len(data)))] if draw.random() < 0.2 else data)
        try:
            load(f"parquet:{tmp_path / 'set'}", tmp_path)
        except UserError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("damage", ["cut", "lying header", "text", "empty", "pipe"])
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_damaged_files_of_mnist_are_one_error(tmp_path, monkeypatch, damage, file):
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets.MNIST, "download", lambda self: pytest.fail("downloaded"))
    write_mnist(tmp_path / "MNIST" / "raw")
    path = tmp_path / "MNIST" / "raw" / file
    whole = path.read_bytes()
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    else:
        changed = {
            "cut": whole[:-5],
            "text": b"no digits",
            "empty": b"",
            "lying header": whole[:4] + b"\x7f" + whole[5:],
        }
        path.write_bytes(changed[damage])
    with pytest.raises(UserError, match="files of mnist are damaged|is a pipe") as caught:
        load("mnist", tmp_path, data_root=tmp_path)
    assert caught.value.fix
