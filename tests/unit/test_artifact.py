"""Files are whole or absent, checked when read, and the error says which and why."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.files import json_file


def tensors(seed=0):
    g = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(3, 4, generator=g), "b": torch.arange(5), "c": torch.tensor(0.1), "e": torch.empty(0)}


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    digest = artifact.save(path, "thing", tensors(), {"name": "né", "n": 1})
    got, document = artifact.load(path, "thing")
    assert set(got) == set(tensors()) and all(torch.equal(got[k], v) for k, v in tensors().items())
    assert document == {"name": "né", "n": 1, "kind": "thing", "schema": 2, "sha256": digest}
    assert [entry.name for entry in path.parent.iterdir()] == ["x.safetensors"]


@given(flips=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_changed_byte_of_the_tensors_is_seen(flips, tmp_path_factory):
    path = tmp_path_factory.mktemp("artifact") / "x.safetensors"
    artifact.save(path, "thing", tensors(), {})
    raw = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    raw[start + flips % (len(raw) - start)] ^= 1 << flips % 8
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"x\.safetensors is damaged"):
        artifact.load(path, "thing")


@given(context=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_anywhere_is_seen(context, bit, tmp_path_factory):
    """In the header too, but for changes that leave what is read as it was: of the order of blanks, say."""
    path = tmp_path_factory.mktemp("artifact") / "x.safetensors"
    artifact.save(path, "thing", tensors(), {"recipe": {"ipc": [1]}, "mean": [0.305639]})
    whole, about = artifact.load(path, "thing")
    raw = bytearray(path.read_bytes())
    raw[context % len(raw)] ^= 1 << bit
    path.write_bytes(raw)
    try:
        got, document = artifact.load(path, "thing")
    except UserError as error:
        assert "x.safetensors" in error.problem
        return
    assert document == about and all(torch.equal(got[name], tensor) for name, tensor in whole.items())


def in_metadata(path, change):
    """Write a file anew with other metadata, its tensors as they are."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    change(metadata)
    save_file(load_file(path), path, metadata=metadata)


def without_checksum(text):
    return json.dumps(
        {key: value for key, value in json.loads(text).items() if key != "description_sha256"}, separators=(",", ":")
    )


def test_the_same_content_is_the_same_bytes(tmp_path):
    for name in "abcdefgh":
        artifact.save(tmp_path / f"{name}.safetensors", "thing", tensors(), {"ipc": 1, "x": [0.1, "é"]})
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_changed_digit_of_the_description_is_seen(tmp_path):
    path = tmp_path / "x.safetensors"
    artifact.save(path, "thing", tensors(), {"ipc": 1})
    in_metadata(path, lambda there: there.update(ddbench=there["ddbench"].replace('"ipc":1', '"ipc":7')))
    for read in (artifact.describe, lambda path: artifact.load(path, "thing")):
        with pytest.raises(UserError, match="is damaged\n.*changed after it was written"):
            read(path)


def test_a_description_whose_checksum_was_taken_away_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    artifact.save(path, "thing", tensors(), {})
    in_metadata(path, lambda there: there.update(ddbench=without_checksum(there["ddbench"])))
    with pytest.raises(UserError, match="its checksum is missing"):
        artifact.load(path, "thing")


def test_a_file_of_schema_1_is_read_and_says_what_is_not_covered(tmp_path):
    path = tmp_path / "x.safetensors"
    artifact.save(path, "thing", tensors(), {"ipc": 1})
    assert artifact.uncovered(artifact.describe(path)) == ""

    def as_before(there):
        there["ddbench"] = without_checksum(there["ddbench"]).replace('"schema":2', '"schema":1')

    in_metadata(path, as_before)
    got, document = artifact.load(path, "thing")
    assert document["ipc"] == 1 and torch.equal(got["a"], tensors()["a"])
    assert "not the description" in artifact.uncovered(document)


def test_the_description_is_of_one_state_of_the_file_with_its_tensors(tmp_path):
    """Another process may replace the file between two looks at it."""
    path, stop = tmp_path / "x.safetensors", threading.Event()

    def replace_it():
        seed = 0
        while not stop.is_set():
            seed += 1
            artifact.save(path, "thing", tensors(seed), {"seed": seed})

    artifact.save(path, "thing", tensors(0), {"seed": 0})
    writer = threading.Thread(target=replace_it)
    writer.start()
    try:
        for _ in range(40):
            got, document = artifact.load(path, "thing")
            assert torch.equal(got["a"], tensors(document["seed"])["a"])
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_file_cut_short_is_seen(keep, tmp_path):
    path = tmp_path / "x.safetensors"
    artifact.save(path, "thing", tensors(), {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="damaged"):
        artifact.load(path, "thing")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"n": ' + "1" * 5000 + "}", "5000 digits"),
        ('{"n": ' + "1" * 41 + "}", "41 digits"),
        ("[" * 200000, "levels"),
        ('{"a":' * 200000, "levels"),
        ("[" * 70 + "]" * 70, "levels"),
        ("{", "Expecting"),
        ("", "Expecting"),
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "the key 'c' twice"),
        ('{"a": NaN}', "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "too large"),
        (r'["a\u0000b"]', "zero character"),
        (r'{"\ud800": 1}', "surrogate"),
        (b"\xff\xfe{}", "utf-8"),
        (b'{"a": "\x00"}', "control character"),
    ],
)
def test_json_that_no_reader_takes(text, why, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"x\.json is not a thing: .*{why}"):
        artifact.read_json(path, "thing")


def test_json_of_any_writer_is_read_as_it_is(tmp_path):
    path = tmp_path / "x.json"
    document = {"state": 2**127, "rate": 1e-300, "names": ["né", "\U0001f600", "\\u0000"], "deep": [[[[]]]], "no": None}
    path.write_text(json.dumps(document))
    assert artifact.read_json(path, "thing") == document


def test_what_is_no_regular_file_is_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe.json", tmp_path / "zeros.json", tmp_path):
        with pytest.raises(UserError, match="no regular file"):
            artifact.read_json(path, "thing")
    (tmp_path / "large.json").write_text("[1, 2, 3]")
    monkeypatch.setattr(json_file, "LARGEST_JSON", 8)
    with pytest.raises(UserError, match="too large for a thing"):
        artifact.read_json(tmp_path / "large.json", "thing")


def test_wrong_kind_absent_foreign_and_newer(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        artifact.load(path, "thing")
    artifact.save(path, "thing", tensors(), {})
    with pytest.raises(UserError, match="is a thing, not a row"):
        artifact.load(path, "row")
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(UserError, match="none of ddbench's"):
        artifact.load(path, "thing")
    save_file({"a": torch.ones(1)}, path, metadata={"ddbench": json.dumps({"kind": "thing", "schema": 99})})
    with pytest.raises(UserError, match="newer ddbench"):
        artifact.load(path, "thing")


@pytest.mark.parametrize(
    "description", ["{", "[]", "{}", '{"kind": "thing"}', '{"kind": "thing", "schema": "one"}', "7"]
)
def test_a_strangers_description_that_is_none(tmp_path, description):
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, path, metadata={"ddbench": description})
    with pytest.raises(UserError, match="its description is not whole"):
        artifact.load(path, "thing")


def test_a_full_disk_is_one_clear_error_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    artifact.write_json(path, {"old": 1})
    with pytest.raises(UserError, match="the disk is full") as caught, artifact.replacing(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "--home" in caught.value.fix
    assert artifact.read_json(path, "thing") == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a really full disk: /dev/full is Linux's")
@pytest.mark.slow
def test_a_really_full_disk(tmp_path):
    """Written through the real libraries onto a file system without room (a file size limit of the process)."""
    code = (
        "import resource, signal, torch, sys\n"
        "from pathlib import Path\n"
        "from ddbench import artifact\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "artifact.save(Path(sys.argv[1]), 'thing', {'a': torch.ones(100000)}, {})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.safetensors")], capture_output=True, text=True)
    assert done.returncode != 0
    assert "the disk is full" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fingerprint_does_not_depend_on_order():
    assert artifact.fingerprint({"a": 1, "b": [1, 2]}) == artifact.fingerprint({"b": [1, 2], "a": 1})
    assert artifact.fingerprint({"a": 1}) != artifact.fingerprint({"a": 2})


def test_hash_of_tensors_sees_name_dtype_shape_and_bytes():
    base = {"x": torch.zeros(4)}
    others = [
        {"y": torch.zeros(4)},
        {"x": torch.zeros(4, dtype=torch.int32)},
        {"x": torch.zeros(2, 2)},
        {"x": torch.ones(4)},
    ]
    assert len({artifact.tensors_sha256(t) for t in [base, *others]}) == 5
