"""Expert buffers of our own, damaged or forged in every place: one clean error, and nothing is believed unseen."""

import copy
import json
import math
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.expert_data import drawn_buffer, tiny_real, tiny_recipe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer, describe_buffer
from ddbench.expert_buffers.buffer import read_description, scan
from ddbench.expert_buffers.expert_file import read_header

ODD: tuple[Any, ...] = (None, True, -1, 0, 10**9, 10**30, 1.5, math.nan, math.inf, "", "x", [], [[]], {}, [10**9] * 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("buffer") / "whole"
    drawn_buffer(folder, experts=2, epochs=3)
    return folder


def places(document: Any, path: tuple = ()) -> Iterator[tuple]:
    """Every place in a JSON document, itself included."""
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*path, key))


def changed(document: Any, path: tuple, value: Any) -> Any:
    """The document with another value in one place."""
    if not path:
        return value
    document = copy.deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


def used(folder) -> ExpertBuffer | UserError:
    """All that is ever read of a buffer. Any other exception is a failure of the test."""
    try:
        buffer = ExpertBuffer.open(folder)
        buffer.require_match(describe_buffer(tiny_real(), "convnet-d1-w4", tiny_recipe(), 0))
        assert buffer.seconds >= 0 and buffer.fingerprint and buffer.digest(2)
        for expert in range(len(buffer)):
            assert all(buffer[expert, epoch].shape == (buffer.size,) for epoch in range(buffer.epochs + 1))
            assert all(isinstance(curve, torch.Tensor) for curve in buffer.curves(expert).values())
            buffer.trajectory(expert)
    except UserError as error:
        assert error.fix
        return error
    return buffer


def test_every_place_of_a_description_with_every_odd_value(whole, tmp_path):
    document = json.loads((whole / "buffer.json").read_text())
    folder = tmp_path / "buffer"
    shutil.copytree(whole, folder)
    for path in places(document):
        for value in ODD:
            if (other := json.dumps(changed(document, path, value))) == json.dumps(document):
                continue
            (folder / "buffer.json").write_text(other)
            found = used(folder)
            if isinstance(found, ExpertBuffer):
                assert path[0] in ("versions", "kind", "schema"), f"{path} {value!r} was taken"


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1' + b"0" * 5000 + b"}", b"null", b'{"schema": NaN}', b"7"],
    ids=["empty", "cut", "no text", "nested", "long number", "null", "nan", "number"],
)
def test_a_description_that_is_no_document(whole, tmp_path, content):
    (tmp_path / "buffer.json").write_bytes(content)
    with pytest.raises(UserError, match=r"buffer\.json") as caught:
        read_description(tmp_path)
    assert "delete it" in caught.value.fix


def forged(source, target, change_facts=None, change_places=None) -> None:
    """An expert file with another header and the same bytes behind it."""
    content = source.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    facts = json.loads(header.pop("__metadata__")["ddbench"])
    facts = facts if change_facts is None else change_facts(facts)
    header = header if change_places is None else change_places(header)
    text = json.dumps({"__metadata__": {"ddbench": json.dumps(facts)}, **header}).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def test_every_place_of_an_experts_header_with_every_odd_value(whole, tmp_path):
    folder = tmp_path / "buffer"
    shutil.copytree(whole, folder)
    source, target = whole / "expert-0001.safetensors", folder / "expert-0001.safetensors"
    content = source.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    facts = json.loads(header.pop("__metadata__")["ddbench"])
    for path in places(facts):
        for value in ODD:
            forged(source, target, change_facts=lambda old, p=path, v=value: changed(old, p, v))
            if changed(facts, path, value) != facts and isinstance(used(folder), ExpertBuffer):
                assert path[0] in ("expert", "seconds", "extendable"), f"{path} {value!r} was taken"
    for path in filter(None, places(header)):
        for value in ODD:
            forged(source, target, change_places=lambda old, p=path, v=value: changed(old, p, v))
            same = json.dumps(changed(header, path, value)) == json.dumps(header)
            assert same or isinstance(used(folder), UserError), f"{path} {value!r} was taken"


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.sampled_from(["buffer.json", "expert-0000.safetensors"]), st.data())
def test_damaged_bytes_end_in_one_error_or_in_the_same_experts(whole, tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("damaged") / "buffer"
    shutil.copytree(whole, folder)
    content = bytearray((folder / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "zero"]))
    if kind == "flip":
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del content[at:]
    elif kind == "insert":
        content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    else:
        content[at : at + 8] = bytes(len(content[at : at + 8]))
    (folder / name).write_bytes(content)
    found = used(folder)
    if isinstance(found, ExpertBuffer):
        for expert in range(2):
            want = artifact.load(whole / f"expert-000{expert}.safetensors", "expert")[0]["parameters"]
            assert torch.equal(found.trajectory(expert).parameters, want)


def test_a_header_can_not_claim_the_memory(whole, tmp_path):
    """A sparse file, as large as its header says it is: nothing of that size is made room for."""
    path = tmp_path / "expert-0000.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 8 * 2**30))
        file.truncate(8 + 8 * 2**30 + 4)
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)\n"
        "from pathlib import Path\nfrom ddbench.errors import UserError\n"
        "from ddbench.expert_buffers.expert_file import read_header\n"
        f"try: read_header(Path({str(path)!r}))\nexcept UserError as error: print('refused', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "refused" in done.stdout, done.stderr


def test_experts_of_another_width_are_damaged(whole, tmp_path):
    """Both agree with themselves: the file was written for another network, under this buffer's name."""
    described, _ = drawn_buffer(tmp_path, experts=1, epochs=2)
    header = read_header(tmp_path / "expert-0000.safetensors")
    assert header.widths == {"parameters": described.parameter_count}
    path = tmp_path / "expert-0000.safetensors"
    tensors, facts = artifact.load(path, "expert")
    artifact.save(path, "expert", {**tensors, "parameters": tensors["parameters"][:, 1:].contiguous()}, facts)
    found = scan(tmp_path, described)
    assert not found.usable and "numbers" in found.damaged[0]
