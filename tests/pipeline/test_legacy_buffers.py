"""replay_buffer_*.pt of the reference projects: in and out without losing a bit or an expert, and nothing unpickled."""

import collections
import zipfile
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from helpers.expert_data import NETWORK, drawn_buffer, tiny_real
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer, describe_buffer, export_replay_buffer, import_replay_buffer
from ddbench.expert_buffers.replay_files import replay_files
from ddbench.networks import build_network
from ddbench.randomness import stream

Wrap = Callable[[torch.Tensor], torch.Tensor]


def described(network=NETWORK):
    return describe_buffer(tiny_real(), network, None, None)


def drawn_snapshots(experts, epochs, seed=0, wrap: Wrap = torch.nn.Parameter, dtype=torch.float32):
    """What the reference scripts keep: experts of snapshots of parameters, in the order of ``net.parameters()``."""
    generator = stream(seed, "snapshots")
    shapes = [p.shape for p in build_network(NETWORK, channels=1, size=8, classes=3, seed=0).parameters()]
    draw = lambda shape: wrap(torch.randn(shape, generator=generator).to(dtype))  # noqa: E731
    return [[[draw(shape) for shape in shapes] for _ in range(epochs + 1)] for _ in range(experts)]


def same(a, b):
    return torch.equal(a.detach().view(torch.uint8), b.detach().view(torch.uint8))


def all_same(first, second):
    return all(
        len(e) == len(f) and all(len(s) == len(t) and all(map(same, s, t)) for s, t in zip(e, f, strict=True))
        for e, f in zip(first, second, strict=True)
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.sampled_from([torch.float32, torch.bfloat16]))
def test_ours_out_and_in_keeps_every_bit(tmp_path_factory, experts, epochs, per_file, dtype):
    folder = tmp_path_factory.mktemp("buffers")
    _, made = drawn_buffer(folder / "ours", experts, epochs, dtype=dtype)
    paths = export_replay_buffer(ExpertBuffer.open(folder / "ours"), folder / "theirs", per_file)
    assert [path.name for path in paths] == [f"replay_buffer_{k}.pt" for k in range(-(-experts // per_file))]
    back = import_replay_buffer(folder / "theirs", folder / "back", described())
    assert len(back) == experts
    for expert, trajectory in enumerate(made):
        assert same(back.trajectory(expert).parameters, trajectory.parameters)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=12),
    st.integers(1, 2),
    st.sampled_from([torch.nn.Parameter, torch.Tensor.clone]),
    st.booleans(),
)
def test_theirs_in_and_out_keeps_every_bit_and_every_expert(tmp_path_factory, experts_by_file, epochs, wrap, zipped):
    folder = tmp_path_factory.mktemp("buffers")
    everything = []
    for number, experts in enumerate(experts_by_file):
        snapshots = drawn_snapshots(experts, epochs, number, wrap)
        torch.save(snapshots, folder / f"replay_buffer_{number}.pt", _use_new_zipfile_serialization=zipped)
        everything += snapshots
    buffer = import_replay_buffer(folder, folder / "ours", described())
    assert len(buffer) == len(everything)
    assert buffer.description.recipe == {}
    for expert, snapshots in enumerate(everything):
        for epoch, snapshot in enumerate(snapshots):
            assert same(buffer[expert, epoch], torch.cat([p.reshape(-1) for p in snapshot]))
    paths = export_replay_buffer(buffer, folder / "out", per_file=2)
    again = [expert for path in paths for expert in torch.load(path, weights_only=True)]
    assert all_same(everything, again)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2, 1):
        (tmp_path / f"replay_buffer_{number}.pt").touch()
    assert [path.stem.rsplit("_", 1)[1] for path in replay_files(tmp_path)] == ["1", "2", "9", "10"]
    one = tmp_path / "replay_buffer_9.pt"
    assert replay_files(one) == replay_files([one]) == [one]
    for nothing in (tmp_path / "none", [], tmp_path / "replay_buffer_3.pt"):
        with pytest.raises(UserError, match="there is no"):
            replay_files(nothing)


class Foreign:
    """Something that only unpickling could make."""


def refused(tmp_path, content, said):
    path = tmp_path / "replay_buffer_0.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=said) as caught:
        import_replay_buffer(path, tmp_path / "ours", described())
    assert not list(tmp_path.glob("ours/*")), "nothing is written for files that are refused"
    return str(caught.value)


def test_what_needs_unpickling_is_refused_with_the_way_out(tmp_path):
    for content in ([[[Fraction(1, 3)]]], [Foreign()], [collections.deque([1])]):
        said = refused(tmp_path, content, "could run code")
        assert "torch.save(" in said and "weights_only=False" in said


def test_what_is_no_replay_buffer_says_so(tmp_path):
    refused(tmp_path, {"images": torch.zeros(3)}, "not a replay buffer")
    refused(tmp_path, [], "not a replay buffer")
    refused(tmp_path, [[torch.zeros(3)]], "not a replay buffer")
    refused(tmp_path, b"no torch file at all", "damaged|can not be read")
    refused(tmp_path, b"", "is empty")
    torch.save(drawn_snapshots(1, 1), tmp_path / "whole.pt")
    refused(tmp_path, (tmp_path / "whole.pt").read_bytes()[:-200], "damaged|can not be read")


def test_experts_of_another_network_name_the_first_tensor_that_differs(tmp_path):
    snapshots = drawn_snapshots(2, 2)
    del snapshots[1][2][-1]
    said = refused(tmp_path, snapshots, f"do not fit the network {NETWORK}")
    assert "expert 1, epoch 2" in said and "found nothing at place 5" in said
    snapshots = drawn_snapshots(1, 1)
    snapshots[0][1][0] = torch.nn.Parameter(torch.zeros(4, 3, 3, 3))
    assert "found (4, 3, 3, 3) at place 0" in refused(tmp_path, snapshots, "do not fit")
    said = refused(tmp_path, [[[*s, torch.zeros(1)] for s in drawn_snapshots(1, 1)[0]]], "do not fit")
    assert "want  6 tensors" in said and "found 7" in said


def test_other_dtypes_aliases_and_lone_initializations_are_refused(tmp_path):
    refused(tmp_path, drawn_snapshots(1, 2, dtype=torch.float64, wrap=torch.Tensor.clone), "in a dtype")
    refused(tmp_path, drawn_snapshots(1, 0), "no epochs")
    (snapshot,) = drawn_snapshots(1, 0)[0]
    refused(tmp_path, [[snapshot, snapshot, snapshot]], "every snapshot of an expert is the same")


def test_nothing_is_overwritten(tmp_path):
    drawn_buffer(tmp_path / "ours")
    buffer = ExpertBuffer.open(tmp_path / "ours")
    (path,) = export_replay_buffer(buffer, tmp_path / "out")
    with pytest.raises(UserError, match="replay buffers in .* already"):
        export_replay_buffer(buffer, tmp_path / "out")
    with pytest.raises(UserError, match="already is an expert buffer"):
        import_replay_buffer(path, tmp_path / "ours", described())
    with pytest.raises(UserError, match="can not hold 0 experts"):
        export_replay_buffer(buffer, tmp_path / "elsewhere", per_file=0)


def stored_record_changed(source, target, change):
    """A copy of a ``.pt`` archive in which the first record of numbers is another one, its checksum right."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as other:
        for entry in whole.infolist():
            content = whole.read(entry)
            other.writestr(entry.filename, change(content) if entry.filename.endswith("data/0") else content)


def test_a_record_of_another_length_than_its_tensor_is_refused(tmp_path):
    """Mapped into memory, a tensor would go on in the bytes behind its record."""
    torch.save(drawn_snapshots(1, 1), tmp_path / "whole.pt")
    path = tmp_path / "replay_buffer_0.pt"
    for change in (lambda content: content[:-4], lambda content: content + bytes(4), lambda content: b""):
        stored_record_changed(tmp_path / "whole.pt", path, change)
        refused(tmp_path, path.read_bytes(), "not as long as the tensors")
    stored_record_changed(tmp_path / "whole.pt", path, lambda content: content)
    assert len(import_replay_buffer(path, tmp_path / "ours", described())) == 1


def test_compressed_archives_and_flipped_bits_are_refused(tmp_path):
    torch.save(drawn_snapshots(1, 1), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "packed.pt", "w", 8) as packed:
        for entry in whole.infolist():
            packed.writestr(entry.filename, whole.read(entry))
        numbers = whole.read(next(e for e in whole.infolist() if e.filename.endswith("data/0")))
    refused(tmp_path, (tmp_path / "packed.pt").read_bytes(), "compressed")
    content = bytearray((tmp_path / "whole.pt").read_bytes())
    assert content.count(numbers) == 1
    content[content.index(numbers)] ^= 1
    refused(tmp_path, bytes(content), "checksum")


def test_a_buffer_of_many_tensors_is_read(tmp_path):
    """As released ones are: ten experts of fifty epochs, whose description alone has hundreds of thousands of parts."""
    snapshots = drawn_snapshots(10, 50)
    torch.save(snapshots, tmp_path / "replay_buffer_0.pt")
    buffer = import_replay_buffer(tmp_path, tmp_path / "ours", described())
    assert (len(buffer), buffer.epochs) == (10, 50)
    assert same(buffer[7, 33], torch.cat([p.reshape(-1) for p in snapshots[7][33]]))
