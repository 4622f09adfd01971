"""Files are whole or absent, checked when read, and the error says which and why."""

import errno
import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench import artefact
from ddbench.errors import UserError


def tensors(seed=0):
    g = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(3, 4, generator=g), "b": torch.arange(5), "c": torch.tensor(0.1), "e": torch.empty(0)}


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    digest = artefact.save(path, "thing", tensors(), {"name": "né", "n": 1})
    got, document = artefact.load(path, "thing")
    assert set(got) == set(tensors()) and all(torch.equal(got[k], v) for k, v in tensors().items())
    assert document == {"name": "né", "n": 1, "kind": "thing", "schema": 1, "sha256": digest}
    assert [entry.name for entry in path.parent.iterdir()] == ["x.safetensors"]


@given(flips=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_changed_byte_of_the_tensors_is_seen(flips, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "x.safetensors"
    artefact.save(path, "thing", tensors(), {})
    raw = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    raw[start + flips % (len(raw) - start)] ^= 1 << flips % 8
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"x\.safetensors is damaged"):
        artefact.load(path, "thing")


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_file_cut_short_is_seen(keep, tmp_path):
    path = tmp_path / "x.safetensors"
    artefact.save(path, "thing", tensors(), {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="damaged"):
        artefact.load(path, "thing")


@pytest.mark.parametrize("text", ['{"n": ' + "1" * 5000 + "}", "[" * 200000, '{"a":' * 200000, "{", ""])
def test_json_that_no_reader_takes(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"x\.json is not a thing"):
        artefact.read_json(path, "thing")


def test_wrong_kind_absent_foreign_and_newer(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        artefact.load(path, "thing")
    artefact.save(path, "thing", tensors(), {})
    with pytest.raises(UserError, match="is a thing, not a row"):
        artefact.load(path, "row")
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(UserError, match="none of ddbench's"):
        artefact.load(path, "thing")
    save_file({"a": torch.ones(1)}, path, metadata={"ddbench": json.dumps({"kind": "thing", "schema": 99})})
    with pytest.raises(UserError, match="newer ddbench"):
        artefact.load(path, "thing")


@pytest.mark.parametrize(
    "description", ["{", "[]", "{}", '{"kind": "thing"}', '{"kind": "thing", "schema": "one"}', "7"]
)
def test_a_strangers_description_that_is_none(tmp_path, description):
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, path, metadata={"ddbench": description})
    with pytest.raises(UserError, match="its description is not whole"):
        artefact.load(path, "thing")


def test_a_full_disk_is_one_clear_error_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    artefact.write_json(path, {"old": 1})
    with pytest.raises(UserError, match="the disk is full") as caught, artefact.replacing(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "--home" in caught.value.fix
    assert artefact.read_json(path, "thing") == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a really full disk: /dev/full is Linux's")
@pytest.mark.slow
def test_a_really_full_disk(tmp_path):
    """Written through the real libraries onto a file system without room (a file size limit of the process)."""
    code = (
        "import resource, signal, torch, sys\n"
        "from pathlib import Path\n"
        "from ddbench import artefact\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "artefact.save(Path(sys.argv[1]), 'thing', {'a': torch.ones(100000)}, {})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.safetensors")], capture_output=True, text=True)
    assert done.returncode != 0
    assert "the disk is full" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fingerprint_does_not_depend_on_order():
    assert artefact.fingerprint({"a": 1, "b": [1, 2]}) == artefact.fingerprint({"b": [1, 2], "a": 1})
    assert artefact.fingerprint({"a": 1}) != artefact.fingerprint({"a": 2})


def test_hash_of_tensors_sees_name_dtype_shape_and_bytes():
    base = {"x": torch.zeros(4)}
    others = [
        {"y": torch.zeros(4)},
        {"x": torch.zeros(4, dtype=torch.int32)},
        {"x": torch.zeros(2, 2)},
        {"x": torch.ones(4)},
    ]
    assert len({artefact.tensors_sha256(t) for t in [base, *others]}) == 5
