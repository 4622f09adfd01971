"""Files of strangers: damaged, absurd and hostile ones end in one clear error, and nothing in them is ever run."""

import io
import os
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.foreign_makers import MEAN, STD, drawn, imported, save, sorted_labels
from helpers.hostile import Hostile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench.data import npz_file
from ddbench.errors import UserError
from ddbench.files import torch_file
from ddbench.files.torch_file import read_torch
from ddbench.formats.arrays import read_npy, read_npz
from ddbench.synthetic.synthetic_set import SyntheticSet

PIXELS = {"low": 0, "high": 1}
FILES = {
    "mtt": {"images_best.pt": drawn(3), "labels_best.pt": sorted_labels(1)},
    "ftd": {"ema_images_best.pt": drawn(3), "ema_labels_best.pt": sorted_labels(1)},
    "tesla": {"images_best.pt": drawn(3), "labels_best.pt": torch.eye(3)},
    "datm": {"images_best.pt": drawn(3), "labels_best.pt": torch.eye(3) * 4, "lr_best.pt": torch.tensor(0.02)},
    "dc": {"res_DC_x_1ipc.pt": {"data": [[drawn(3), sorted_labels(1)]], "accs_all_exps": {"a": [np.float64(0.5)]}}},
    "beard": {"DM_x_ipc1_conv.pt": {"data": [[drawn(3), sorted_labels(1)]]}},
    "dd": {"results.pth": [(drawn(3), sorted_labels(1), torch.tensor([0.1]))]},
    "idc": {"data.pt": (drawn(3, **PIXELS), sorted_labels(1))},
    "ncfm": {"data_init.pt": (drawn(3, **PIXELS), sorted_labels(1))},
    "idm": {"data.pkl": [1, 2]},
    "kip": {"kip_x_ssize3.npz": {"images": drawn(3).permute(0, 2, 3, 1), "labels": torch.eye(3)}},
    "eccv24": {"cifar10.pt": drawn(30)},
    "ddranking": {"images.pt": drawn(3), "labels.pt": torch.eye(3), "lr.pt": 0.02},
    "ufc-init": {"tensor_0.pt": drawn(3), "tensor_1.pt": drawn(3, 1)},
    "dc-bench": {"x_IPC1_normalize_images.pt": drawn(3), "x_IPC1_normalize_labels.pt": sorted_labels(1)},
    "tensors": {"images.npy": drawn(3), "labels.npy": sorted_labels(1)},
}
FACTS = {"lr": 0.02, "mean": MEAN, "std": STD, "labels": None, "formation": 1}
OF_FORMAT = {
    "idc": {"space": "pixels", "mean": None, "std": None},
    "ncfm": {"space": "pixels", "mean": None, "std": None},
    "kip": {"space": "meanstd"},
    **dict.fromkeys(("datm", "ddranking", "dd"), {"lr": None}),
}
EACH = pytest.mark.parametrize("format", FILES)
QUICK = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, format: str) -> dict[Path, bytes]:
    """The files of a whole set of this format, and their bytes."""
    for name, value in FILES[format].items():
        if name.endswith(".npz"):
            np.savez(folder / name, **{key: tensor.numpy() for key, tensor in value.items()})
        elif name.endswith(".pkl"):
            (folder / name).write_bytes(pickle.dumps(value))
        else:
            save(folder / name, value)
    return {path: path.read_bytes() for path in sorted(folder.iterdir())}


def outcome(format: str, folder: Path) -> SyntheticSet | UserError:
    """What importing ends in; any other exception is a failure of the test."""
    try:
        return imported(format, folder, **{**FACTS, **OF_FORMAT.get(format, {})})
    except UserError as error:
        assert error.problem and error.fix and len(str(error)) < 4000
        return error


def mutated(draw, content: bytes) -> bytes:
    """Bytes that are not the file's."""
    context = draw(st.integers(0, len(content) - 1))
    kind = draw(st.sampled_from(["cut", "flip", "flip early", "insert", "overwrite"]))
    if kind == "cut":
        return content[:context]
    if kind == "insert":
        return content[:context] + draw(st.binary(min_size=1, max_size=40)) + content[context:]
    if kind == "overwrite":
        junk = draw(st.binary(min_size=1, max_size=200))
        return content[:context] + junk + content[context + len(junk) :]
    context = context % 200 if kind == "flip early" else context
    return content[:context] + bytes([content[context] ^ (1 << draw(st.integers(0, 7)))]) + content[context + 1 :]


@EACH
def test_each_sample_is_a_set_unless_something_is_wrong(tmp_path, format):
    write(tmp_path, format)
    assert isinstance(outcome(format, tmp_path), UserError if format == "idm" else SyntheticSet)


@EACH
@QUICK
@given(data=st.data())
def test_damaged_files_end_in_one_error(tmp_path_factory, format, data):
    folder = tmp_path_factory.mktemp(format)
    whole = write(folder, format)
    path = data.draw(st.sampled_from(list(whole)))
    path.write_bytes(mutated(data.draw, whole[path]))
    found = outcome(format, folder)
    if isinstance(found, SyntheticSet):
        assert torch.isfinite(found.images).all() and len(found.images) == len(found.labels)


@EACH
@pytest.mark.parametrize("kept", [0, 1, 4, 100, -1, -60])
def test_truncated_files_are_always_refused(tmp_path, format, kept):
    for path, content in write(tmp_path, format).items():
        path.write_bytes(content[:kept])
    assert isinstance(outcome(format, tmp_path), UserError)


@EACH
def test_a_flipped_bit_in_the_tensors_of_a_pt_file_is_noticed(tmp_path, format):
    for path, content in write(tmp_path, format).items():
        if path.suffix == ".pt":
            middle = len(content) // 2  # in the tensors, which no reader would miss
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :])
            assert isinstance(outcome(format, tmp_path), UserError)


DTYPES = [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64]
TENSORS = st.builds(
    lambda shape, dtype, fill: torch.full(shape, fill).to(dtype),
    st.lists(st.integers(0, 8), max_size=5),
    st.sampled_from(DTYPES),
    st.sampled_from([0.0, 1.0, -1.0, 7.0, float("nan"), float("inf")]),
)
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=5), TENSORS),
    *(st.just(drawn(3)), st.just(sorted_labels(1)), st.just(np.float64(0.5)), st.just(torch.eye(3).to_sparse())),
)
NAMES = st.sampled_from(["data", "images", "labels", "lr", "x"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)


@EACH
@QUICK
@given(data=st.data())
def test_other_values_in_place_of_a_file_end_in_one_error_or_a_whole_set(tmp_path_factory, format, data):
    folder = tmp_path_factory.mktemp(format)
    path = data.draw(st.sampled_from(list(write(folder, format))))
    torch.save(data.draw(VALUES), path, _use_new_zipfile_serialization=data.draw(st.booleans()))
    found = outcome(format, folder)
    if isinstance(found, SyntheticSet):
        assert torch.isfinite(found.images).all() and found.images.shape[1:] == (3, 8, 8)


class Asks:
    """Pickled, it is a call of anything."""

    def __init__(self, called, *given):
        self.called, self.given = called, given

    def __reduce__(self):
        return self.called, self.given


def hostile_bytes(kind: str, marker: Path) -> bytes:
    """A file that runs code when it is read carelessly."""
    stream, evil = io.BytesIO(), Hostile(marker)
    if kind == "pickle":
        pickle.dump(evil, stream)
    elif kind == "old pickle":
        pickle.dump([evil], stream, protocol=0)
    elif kind == "zip":
        torch.save({"data": [[drawn(3), evil]], "images": evil}, stream)
    elif kind == "legacy":
        torch.save((drawn(3), evil), stream, _use_new_zipfile_serialization=False)
    elif kind == "npy":
        np.save(stream, np.array([evil], dtype=object), allow_pickle=True)
    else:
        np.savez(stream, images=np.array([evil], dtype=object), labels=np.array([evil], dtype=object))
    return stream.getvalue()


@EACH
@pytest.mark.parametrize("kind", ["pickle", "old pickle", "zip", "legacy", "npy", "npz"])
def test_code_in_a_file_is_never_run(tmp_path, format, kind):
    marker, folder = tmp_path / "it ran", tmp_path / "set"
    folder.mkdir()
    whole = write(folder, format)
    content = hostile_bytes(kind, marker)
    for path in whole:
        path.write_bytes(content)
        assert isinstance(outcome(format, folder), UserError)
        path.write_bytes(whole[path])
    assert not marker.exists()
    if kind == "pickle":
        pickle.loads(content).close()
        assert marker.exists(), "the file would have done harm"


@pytest.mark.parametrize(
    "value",
    [
        *(Asks(eval, "1"), Asks(os.getcwd), Asks(getattr, 1, "real"), Asks(bytearray, 10**15), Asks(Counter, "aab")),
        *(Asks(torch.zeros, 3), Asks(torch.load, "x"), {1, 2}, np.zeros(3), np.array("text")[()], np.dtype("O")),
        Asks(np.array(0.5)[()].__reduce__()[0], np.dtype("O"), b"12345678"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_only_tensors_containers_and_plain_numbers_are_allowed(tmp_path, value, zipped):
    torch.save([value], tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="could run code|can not be read"):
        read_torch(tmp_path / "x.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_numpys_numbers_are_read_as_pythons(tmp_path, zipped):
    given = [kind(3) for kind in (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)]
    value = OrderedDict(
        numbers=[*given, np.float64(-0.1), 2.5], tensor=drawn(1), parameter=torch.nn.Parameter(drawn(1))
    )
    torch.save(value, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    found = read_torch(tmp_path / "x.pt")
    assert found["numbers"] == [number.item() for number in given] + [-0.1, 2.5]
    assert {type(number) for number in found["numbers"]} == {float, int, bool}
    assert torch.equal(found["tensor"], drawn(1)) and torch.equal(found["parameter"], drawn(1))


def test_a_tensor_can_not_claim_more_than_its_file_holds(tmp_path):
    torch.save(torch.zeros(1).expand(10**9, 3, 8, 8), tmp_path / "wide.pt")
    with pytest.raises(UserError, match="claims to hold more"):
        read_torch(tmp_path / "wide.pt")
    torch.save(torch.arange(6.0), tmp_path / "small.pt")
    with zipfile.ZipFile(tmp_path / "small.pt") as whole, zipfile.ZipFile(tmp_path / "claims.pt", "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            other.writestr(name, content.replace(b"K\x06t", b"J" + struct.pack("<i", 2**30) + b"t"))
    with pytest.raises(UserError):
        read_torch(tmp_path / "claims.pt")


def test_archives_that_unpack_to_far_more_are_refused(tmp_path, monkeypatch):
    torch.save(drawn(3), tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as whole, zipfile.ZipFile(tmp_path / "packed.pt", "w") as packed:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="compressed archive"):
        read_torch(tmp_path / "packed.pt")
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros(2 * 10**7, np.uint8))
    monkeypatch.setattr(npz_file, "SLACK_BYTES", 1 << 20)
    with pytest.raises(UserError, match="claims to hold more"):
        read_npz(tmp_path / "bomb.npz")


@pytest.mark.parametrize("shape", ["(1000000000000, 3, 8, 8)", "(-1, -100000000000)", "(3.5,)", "('a',)", "(1, [2])"])
def test_arrays_can_not_claim_more_than_their_file_holds(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    (tmp_path / "x.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)
    )
    with pytest.raises(UserError):
        read_npy(tmp_path / "x.npy")


@pytest.mark.parametrize("zipped", [True, False])
def test_tuples_in_tuples_do_not_overrun_the_stack(tmp_path, zipped):
    """As the key of a dictionary such a tuple would be hashed, which follows it all the way down."""
    content = b"\x80\x02})" + b"\x85" * 300_000 + b"Ns."
    (tmp_path / "x.pt").write_bytes(content * 5)
    if zipped:
        with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
            archive.writestr("x/data.pkl", content)
            archive.writestr("x/version", "3\n")
    with pytest.raises(UserError, match="far more than"):
        read_torch(tmp_path / "x.pt")


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    for path in (tmp_path / "pipe.pt", tmp_path, Path("/dev/zero"), tmp_path / "none.pt"):
        with pytest.raises(UserError, match="there is no file|is a pipe|is a folder|is a device"):
            read_torch(path)
    save(tmp_path / "x.pt", drawn(3))
    with pytest.raises(UserError, match="too large"):
        read_torch(tmp_path / "x.pt", replace(torch_file.SYNTHETIC, largest=100))
