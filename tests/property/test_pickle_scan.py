"""How deep a pickle nests is known before anything of it is built, whatever way it takes to hide it."""

import io
import pickle
import pickletools
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.files.pickle_scan import PickleScanError, scan_pickle
from ddbench.files.torch_file import EXPERTS, WEIGHTS, read_torch
from ddbench.files.torch_tensors import TensorRecordError, check_records

DEEP = 10_001
EMPTY, TUPLE1, STOP = b")", b"\x85", b"."

NESTED = {
    "tuples in tuples": EMPTY + TUPLE1 * DEEP,
    "as a key": b"}" + EMPTY + TUPLE1 * DEEP + b"Ns",
    "through the memo": EMPTY + b"".join(TUPLE1 + b"q\x00" + b"h\x00" for _ in range(DEEP)),
    "in lists": EMPTY + b"".join(b"]q\x00h\x00" + TUPLE1 for _ in range(DEEP)),
    "by calls": b"ccollections\nOrderedDict\nq\x00" + EMPTY + (TUPLE1 + b"h\x00" + EMPTY + b"R0") * DEEP,
    "on a mark": EMPTY + (TUPLE1 + b"(0") * DEEP,
}


@pytest.mark.parametrize("content", NESTED.values(), ids=NESTED.keys())
def test_nesting_is_refused(content):
    with pytest.raises(PickleScanError, match="far more than"):
        scan_pickle(io.BytesIO(b"\x80\x02" + content + STOP))


def test_a_container_that_is_finished_is_not_added_to():
    """A tuple around a list that grows afterwards would be deeper than it was when it was made."""
    with pytest.raises(PickleScanError, match="finished"):
        scan_pickle(io.BytesIO(b"\x80\x02]q\x00" + TUPLE1 + b"h\x00" + EMPTY + b"a" + STOP))


@pytest.mark.parametrize("content", [b"a", b"]a", b"0", b"(", b"\x87", b"h\x05", b"t", b"s", b"q\x00"])
def test_what_is_not_on_the_stack_is_not_taken(content):
    with pytest.raises((ValueError, PickleScanError)):
        scan_pickle(io.BytesIO(b"\x80\x02" + content + (b"N" if content == b"(" else b"")))


def test_places_of_the_memo_do_not_make_room_for_billions():
    with pytest.raises(PickleScanError, match="remembers"):
        scan_pickle(io.BytesIO(b"\x80\x02Nr\xff\xff\xff\x7f."))


plain = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, max_examples=100)
@given(plain)
def test_plain_values_pass(value):
    scan_pickle(io.BytesIO(pickle.dumps([value, value], protocol=2)))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_networks_state_is_read_bit_for_bit(tmp_path, zipped):
    """Such a dictionary has attributes, and batch norm a number of no dimensions."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(network.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    for content in (WEIGHTS, EXPERTS):
        found = read_torch(tmp_path / "x.pth", content)
        assert list(found) == list(network.state_dict())
        assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("instruction", "argument"),
    [(b"K\x00", b"K\x01"), (b"K\x02K\x02\x86", b"K\x03K\x02\x86"), (b"K\x02K\x01\x86", b"K\x09K\x01\x86")],
    ids=["offset", "size", "stride"],
)
def test_a_tensor_that_reaches_beyond_its_record_is_refused(instruction, argument):
    """Offset, size and stride of a tensor of four numbers, each made larger in the pickle itself."""
    archive = io.BytesIO()
    torch.save(torch.arange(4.0).reshape(2, 2), archive)
    with zipfile.ZipFile(archive) as file:
        content = next(file.read(name) for name in file.namelist() if name.endswith("data.pkl"))
    check_records(content, {"0": 16})
    at = max(p or 0 for op, _, p in pickletools.genops(content) if op.name == "BINPERSID")
    assert instruction in content[at:]
    changed = content[:at] + content[at:].replace(instruction, argument, 1)
    scan_pickle(io.BytesIO(changed))
    with pytest.raises(TensorRecordError, match="reaches beyond"):
        check_records(changed, {"0": 16})
    for records in ({"0": 12}, {"0": 20}, {}):
        with pytest.raises(TensorRecordError, match="not as long"):
            check_records(content, records)
