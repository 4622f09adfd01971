"""A training that was stopped goes on to the same bits, and never from the state of another one."""

import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest
import torch
from helpers.command_line import ENVIRONMENT, command, only
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_split
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ddbench.artifact import describe, load, save
from ddbench.errors import UserError
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score_real import real_job
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.evaluate.training.checkpoint import KIND, TrainingCheckpoint
from ddbench.evaluate.training.train_and_test import train
from ddbench.runtime.progress import Silent

CPU = torch.device("cpu")
ASKED = {"network": NETWORK, "seed": 0}
HARD = sorted(name for name, protocol in PROTOCOLS.items() if protocol.loss == "ce")


class Stopped(Exception):
    pass


class StopsAfter(Silent):
    """A meter at which a training breaks off, once so many epochs are done."""

    def __init__(self, epochs):
        self.epochs, self.begun = epochs, None

    def start(self, total, what, done=0):
        self.begun = done

    def update(self, done, **facts):
        if done == self.epochs:
            raise Stopped


def state_of(job, seed, checkpoint=None, stop=None):
    def watch(done, of):
        if done == stop:
            raise Stopped

    return train(job.config, job.source, seed, watch, checkpoint).state_dict()


def assert_equal(found, wanted):
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(HARD),
    augmentation=st.sampled_from(["none", "dsa", "dsa-idc", "dc", "crop-flip"]),
    network=st.sampled_from([NETWORK, f"{NETWORK}-bn"]),
    optimizer=st.sampled_from(["sgd", "adamw"]),
    mixing=st.sampled_from(["none", "mixup", "cutmix"]),
    seed=st.integers(0, 99),
    stops=st.lists(st.integers(1, 4), max_size=3),
)
@example("dsa-v1", "dsa", NETWORK, "sgd", "none", 1, [4])  # after the rate has dropped
@example("idc-v1", "dsa-idc", f"{NETWORK}-bn", "adamw", "cutmix", 2, [2])
def test_stopped_anywhere_it_ends_with_the_same_bits(
    tmp_path_factory, name, augmentation, network, optimizer, mixing, seed, stops
):
    protocol = replace(short(name, epochs=4, augmentation=augmentation), optimizer=optimizer, mixing=mixing, batch=8)
    job = real_job(tiny_real(), protocol=protocol, network=network)
    wanted = state_of(job, seed)
    path = tmp_path_factory.mktemp("stopped") / ".t.unfinished"
    for stop in sorted(set(stops)):
        before = torch.get_rng_state()
        with pytest.raises(Stopped):
            state_of(job, seed, TrainingCheckpoint(path, ASKED, CPU, 0), stop)
        assert torch.equal(torch.get_rng_state(), before)
    again = TrainingCheckpoint(path, ASKED, CPU, 0)
    assert again.epochs == max(stops, default=0)
    assert_equal(state_of(job, seed, again), wanted)
    again.discard()
    assert not path.exists()


def test_layers_that_draw_go_on_drawing(tmp_path):
    """Dropout, and branches left out, draw from torch's own generator."""
    train, test = tiny_split(9, 1, size=28), tiny_split(6, 3, size=28)
    real = replace(tiny_real(), train=train, test=test)
    names, asked = ["efficientnet-b0-cifar"], {"epochs": 3, "protocol": "squeeze-v1"}
    wanted = train_teachers(real, names, tmp_path / "whole", **asked)
    with pytest.raises(Stopped):
        train_teachers(
            real, names, tmp_path / "cut", compute=computing(progress=StopsAfter(2), checkpoint_seconds=0), **asked
        )
    meter = StopsAfter(99)
    found = train_teachers(real, names, tmp_path / "cut", compute=computing(progress=meter), **asked)
    assert meter.begun == 2
    assert_equal(found.states[0], wanted.states[0])
    assert found.accuracy == wanted.accuracy and found.fingerprint == wanted.fingerprint
    assert [path.name for path in (tmp_path / "cut").iterdir()] == [
        path.name for path in (tmp_path / "whole").iterdir()
    ]


def test_the_state_is_written_when_it_is_due_and_when_a_training_breaks_off(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("ddbench.training.checkpoint.artifact.save", lambda path, kind, *state: written.append(state))
    job = real_job(tiny_real(), protocol=short("real-v1", epochs=6, augmentation="none"), network=NETWORK)
    state_of(job, 0, TrainingCheckpoint(tmp_path / ".a.unfinished", ASKED, CPU, 0))
    assert [facts["epochs"] for _, facts in written] == [1, 2, 3, 4, 5, 6]
    written.clear()
    state_of(job, 0, TrainingCheckpoint(tmp_path / ".b.unfinished", ASKED, CPU, 3600))
    assert not written
    with pytest.raises(Stopped):
        train_teachers(tiny_real(), [NETWORK], tmp_path, epochs=6, compute=computing(progress=StopsAfter(4)))
    assert [facts["epochs"] for _, facts in written] == [4]


class TestStatesThatAreNotUsed:
    @pytest.fixture
    def path(self, tmp_path):
        job = real_job(tiny_real(), protocol=short("real-v1", epochs=3, augmentation="none"), network=NETWORK)
        state_of(job, 0, TrainingCheckpoint(tmp_path / ".t.unfinished", ASKED, CPU, 0))
        return tmp_path / ".t.unfinished"

    def test_of_other_settings(self, path):
        with pytest.raises(UserError, match="was made with another seed") as caught:
            TrainingCheckpoint(path, {**ASKED, "seed": 1}, CPU)
        assert caught.value.facts == ("there 0", "asked 1") and "delete the file" in caught.value.fix

    def test_of_another_kind_of_device(self, path):
        with pytest.raises(UserError, match="another device\n.*there cpu\n.*asked cuda"):
            TrainingCheckpoint(path, ASKED, torch.device("cuda"))

    def test_a_damaged_one_counts_for_nothing(self, path):
        path.write_bytes(path.read_bytes()[:-100])
        assert TrainingCheckpoint(path, ASKED, CPU).epochs == 0
        tensors, facts = {"x": torch.zeros(1)}, {"asked": {**ASKED, "device": "cpu"}, "epochs": 2}
        save(path, "something else", tensors, facts)
        assert TrainingCheckpoint(path, ASKED, CPU).epochs == 0

    def test_one_of_a_newer_ddbench_is_not_replaced(self, path, monkeypatch):
        monkeypatch.setattr("ddbench.artifact.SCHEMA", 0)
        with pytest.raises(UserError, match="written by a newer ddbench"):
            TrainingCheckpoint(path, ASKED, CPU)

    def test_counted_steps_and_several_sets_are_not_continued(self, path):
        job = real_job(tiny_real(), protocol="real-v1", network=NETWORK, steps=5)
        with pytest.raises(ValueError, match="after some steps"):
            train(job.config, job.source, 0, checkpoint=TrainingCheckpoint(path, ASKED, CPU))
        twice = replace(job.source, sets=job.source.sets * 2)
        with pytest.raises(ValueError, match="on several sets"):
            train(job.config, twice, 0, checkpoint=TrainingCheckpoint(path, ASKED, CPU))


def interrupted(arguments, moment, by=signal.SIGKILL):
    """``ddbench`` in a process that gets a signal as soon as ``moment()``. Returns its status."""
    process = subprocess.Popen(
        command(*arguments),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and not moment():
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.002)
    process.send_signal(by)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_called_again(ddbench, tmp_path, by):
    def asked(context):
        return (
            *("teach", "digits", "--network", "convnet-d2-w16-bn", "--epochs", "150", "--protocol", "squeeze-v1"),
            *("--home", tmp_path / context, "--device", "cpu", "--checkpoint-seconds", "0", "-q"),
        )

    def state(context):
        return list((tmp_path / context).glob("teachers/.*.unfinished"))

    wanted = ddbench.done(*asked("whole"))
    status = interrupted(asked("cut"), lambda: state("cut") and describe(state("cut")[0])["epochs"] > 1, by)
    assert status == (-by if by == signal.SIGKILL else 130)
    tensors, facts = load(state("cut")[0], KIND)
    assert 1 < facts["epochs"] < 150 and "stream.shuffling" in tensors
    found = ddbench.done(*asked("cut"))
    assert found == wanted.replace("whole", "cut") and not state("cut")
    files = [only(tmp_path / context / "teachers", "digits-convnet*.safetensors") for context in ("cut", "whole")]
    assert_equal(*(load(file, "teachers")[0] for file in files))
