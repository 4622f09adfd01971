"""Checkpoints of unfinished work: when they are written, what they are used for, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.training import checkpoint as module
from ddbench.training.checkpoint import Checkpoint, first_difference

OWN = {"of": {"seed": 0, "network": "mlp"}, "number": 3}


class Clock:
    """Time that passes only where a test says so, and while a state is written."""

    def __init__(self, monkeypatch, writing):
        self.now, self.writing, self.written = 100.0, writing, []
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(artifact, "save", self.save)

    def save(self, path, kind, tensors, document):
        self.now += self.writing
        self.written.append(document)


def made(folder, identity=OWN, pause=0.0):
    return Checkpoint(folder / ".a.unfinished", "test state", identity, pause)


def test_a_state_is_read_as_it_was_written(tmp_path):
    assert made(tmp_path).read() is None
    made(tmp_path).write({"x": torch.arange(3)}, {"epochs": 2})
    tensors, facts = made(tmp_path).read() or ({}, {})
    assert torch.equal(tensors["x"], torch.arange(3)) and facts["epochs"] == 2
    made(tmp_path).discard()
    assert not list(tmp_path.iterdir())
    made(tmp_path).discard()


@given(pause=st.floats(0.1, 50), writing=st.floats(0, 20), step=st.floats(0.1, 9), count=st.integers(1, 60))
def test_saving_takes_its_share_of_time_at_most(tmp_path_factory, pause, writing, step, count):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch, writing)
        file, begin = made(tmp_path_factory.mktemp("a"), pause=pause), clock.now
        for number in range(count):
            clock.now += step
            file.offer({}, {"number": number})
        spent = len(clock.written) * writing
        assert spent <= (clock.now - begin) / module.SHARE + writing
        assert len(clock.written) <= (clock.now - begin) / pause
        if writing == 0:
            assert len(clock.written) >= (clock.now - begin) // (pause + step)


def test_without_a_pause_every_state_is_written(tmp_path, monkeypatch):
    clock = Clock(monkeypatch, 5.0)
    file = made(tmp_path, pause=0)
    for number in range(4):
        file.offer({}, {"epochs": number})
    assert [facts["epochs"] for facts in clock.written] == [0, 1, 2, 3]


def test_what_was_offered_last_is_written_once_when_work_breaks_off(tmp_path, monkeypatch):
    clock = Clock(monkeypatch, 0.0)
    file = made(tmp_path, pause=20)
    file.flush()
    for number in range(4):
        file.offer({}, {"epochs": number})
    assert not clock.written and not file.due()
    for _ in range(2):
        file.flush()
    assert [facts["epochs"] for facts in clock.written] == [3]
    file.offer({}, {"epochs": 4})
    file.discard()
    file.flush()
    assert len(clock.written) == 1


def test_seconds_count_earlier_processes_and_are_shared(tmp_path, monkeypatch):
    clock = Clock(monkeypatch, 0.0)
    file = made(tmp_path)
    clock.now += 6
    assert file.seconds == 6
    file.earlier, file.together = 10.0, 3
    assert file.seconds == 12


@pytest.mark.parametrize(
    ("changed", "key", "there", "asked"),
    [
        ({"number": 4}, "number", 3, 4),
        ({"of": {"seed": 1, "network": "mlp"}}, "seed", 0, 1),
        ({"of": {"seed": 0}}, "network", "mlp", None),
        ({"of": {"seed": 0, "network": "mlp", "epochs": 3}}, "epochs", None, 3),
    ],
)
def test_a_state_of_other_work_counts_for_nothing_or_is_an_error(tmp_path, changed, key, there, asked):
    made(tmp_path).write({}, {})
    other = made(tmp_path, {**OWN, **changed})
    assert other.read() is None
    with pytest.raises(UserError, match=f"unfinished was made with another {key}") as error:
        other.read(require_same=True)
    assert error.value.facts == (f"there {there}", f"asked {asked}") and "delete the file" in error.value.fix


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-3])])
def test_an_absent_or_damaged_state_is_an_error_where_one_is_required(tmp_path, damage):
    file = made(tmp_path)
    file.write({"x": torch.ones(4)}, {})
    damage(file.path)
    assert file.read() is None
    with pytest.raises(UserError, match=r"\.a\.unfinished"):
        file.read(required=True)


def test_a_state_of_another_kind_or_a_newer_ddbench(tmp_path, monkeypatch):
    file = made(tmp_path)
    artifact.save(file.path, "another kind", {}, OWN)
    assert file.read() is None
    file.write({}, {})
    monkeypatch.setattr(artifact, "SCHEMA", 0)
    with pytest.raises(UserError, match="written by a newer ddbench"):
        file.read()


def test_a_state_that_does_not_fit_is_told_by_its_file(tmp_path):
    with pytest.raises(UserError, match="unfinished is damaged") as error, made(tmp_path).restoring("such a network"):
        torch.zeros(3).copy_(torch.zeros(4))
    assert "it is not of such a network: The size of tensor" in str(error.value)
    with pytest.raises(UserError, match="KeyError"), made(tmp_path).restoring("such a network"):
        raise KeyError
    with pytest.raises(KeyboardInterrupt), made(tmp_path).restoring("such a network"):
        raise KeyboardInterrupt


documents = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(one=documents, two=documents)
def test_the_first_difference_is_found(one, two):
    differing = [key for key in "abcd" if one.get(key) != two.get(key)]
    found = first_difference(one, two)
    assert found == ((differing[0], one.get(differing[0]), two.get(differing[0])) if differing else None)
