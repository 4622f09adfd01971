"""Killed at any moment and called again, a run ends with the same bits as one that was left alone."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from helpers.command_line import ENVIRONMENT, RECIPE, command, only, written

from ddbench.artifact import describe, load, read_json
from ddbench.commands import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")

LONGER = (
    RECIPE.replace("network: convnet-d1-w4", "network: convnet-d1-w8")
    .replace("batch: 256", "batch: 32")
    .replace("max_start_epoch: 3", "max_start_epoch: 7")
    .replace("iterations: 4", "iterations: 80\n    keep_every: 7")
    .replace("count: 2", "count: 3")
    .replace("inner_steps: 3", "inner_steps: 8")
    .replace("  random:\n", "")
)
"""Each stage takes a second, so that there is a middle in which to interrupt it."""


class Interrupted:
    """``ddbench run`` on one home, as processes that are interrupted, again and again."""

    def __init__(self, folder: Path, seed: int, method: str = "mtt") -> None:
        folder.mkdir(exist_ok=True)
        self.home, self.dice, self.method = folder / "home", random.Random(seed), method
        text = LONGER if method == "mtt" else LONGER.replace("expert_epochs: 1", "expert_epochs: 2")
        recipe = written(folder, text.replace("  mtt:", f"  {method}:"))
        self.arguments = ["run", recipe, "--home", self.home, "-q", "--checkpoint-seconds", "0"]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*self.arguments),
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def interrupt_when(self, moment, by: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Start, wait until ``moment()`` and a little by chance, and interrupt. Returns status and stderr."""
        process = self.start()
        deadline = time.monotonic() + 60
        while process.poll() is None and not moment():
            assert time.monotonic() < deadline, "the moment did not come"
            time.sleep(0.002)
        time.sleep(self.dice.uniform(0, 0.1))
        process.send_signal(by)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    def finish(self) -> None:
        assert main([str(argument) for argument in self.arguments]) == 0

    def experts(self) -> list[Path]:
        return sorted(self.home.glob("buffers/*/expert-*.safetensors"))

    def training(self) -> bool:
        """Whether an expert is half trained, with a state on disk."""
        return any(self.home.glob("buffers/*/.expert-*.unfinished"))

    def outer_steps(self) -> int:
        return sum(file.read_bytes().count(b"\n") for file in self.home.glob(f"runs/*-{self.method}-*/events.jsonl"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The home of the same run, never interrupted."""
    run = Interrupted(tmp_path_factory.mktemp("undisturbed"), seed=0)
    run.finish()
    return run.home


def assert_same(home: Path, undisturbed: Path) -> None:
    """Every expert, every candidate, the set and the accuracies: the same names and the same bits."""
    patterns = {"buffers/*/expert-*.safetensors": "expert", "runs/*/candidates*/*.safetensors": "synthetic set",
                "runs/*/synthetic*.safetensors": "synthetic set"}  # fmt: skip
    for pattern, kind in patterns.items():
        names = sorted(path.relative_to(home) for path in home.glob(pattern))
        assert names == sorted(path.relative_to(undisturbed) for path in undisturbed.glob(pattern)) and names
        for name in names:
            got, want = load(home / name, kind)[0], load(undisturbed / name, kind)[0]
            assert got.keys() == want.keys() and all(torch.equal(got[key], want[key]) for key in want), name
    got, want = ({path.name: read_json(path, "row") for path in context.rglob("results/*/*/*.json")}
                 for context in (home, undisturbed))  # fmt: skip
    assert got.keys() == want.keys() and want
    for name, row in want.items():
        assert all(got[name][fact] == row[fact] for fact in ("label", "accuracy", "synthetic_sha256")), name
    assert not [path for path in home.rglob("*") if path.name.endswith(".unfinished")]


@pytest.mark.slow
def test_the_undisturbed_run_moves(undisturbed):
    """Or there would be nothing to lose."""
    found = sorted(undisturbed.glob("runs/*/candidates/*.safetensors"))
    first, last = load(found[0], "synthetic set")[0], load(found[-1], "synthetic set")[0]
    assert len(found) == 12 and (first["images"] - last["images"]).abs().max() > 0.1
    assert first["student_lr"] != last["student_lr"]


@pytest.mark.slow
def test_killed_once_in_each_stage(tmp_path, undisturbed):
    run = Interrupted(tmp_path, seed=1)
    status, _ = run.interrupt_when(lambda: run.experts() and run.training())
    assert status == -signal.SIGKILL and len(run.experts()) < 3 and run.outer_steps() == 0
    kept = {path: path.stat().st_mtime_ns for path in run.experts()}
    status, _ = run.interrupt_when(lambda: run.outer_steps() >= 12)
    assert status == -signal.SIGKILL
    state = only(run.home, "runs/*-mtt-*/state.safetensors")
    assert 12 <= describe(state)["step"] + 1 < 80
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in run.experts()}.items(), (
        "an expert was trained twice"
    )
    run.finish()
    assert_same(run.home, undisturbed)


@pytest.mark.slow
def test_ctrl_c_says_so_and_leaves_a_run_that_goes_on(tmp_path, undisturbed):
    run = Interrupted(tmp_path, seed=2)
    shutil.copytree(undisturbed / "buffers", run.home / "buffers")
    status, err = run.interrupt_when(lambda: run.outer_steps() >= 10, signal.SIGINT)
    assert status == 130
    assert err == "ddbench: stopped; the same command goes on from here\n"
    state = only(run.home, "runs/*-mtt-*/state.safetensors")
    assert 10 <= describe(state)["step"] + 1 < 80
    assert not list(run.home.rglob("*.part"))
    run.finish()
    assert_same(run.home, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ftd", "tesla", "datm", "ast"])
def test_every_method_of_the_family_goes_on_after_a_kill(tmp_path, method):
    left_alone, killed = (Interrupted(tmp_path / name, 5, method) for name in ("alone", "killed"))
    left_alone.finish()
    shutil.copytree(left_alone.home / "buffers", killed.home / "buffers")
    for steps in (5, 40):
        status, err = killed.interrupt_when(lambda steps=steps: killed.outer_steps() >= steps)
        assert status == -signal.SIGKILL, err
    assert killed.outer_steps() < 80
    killed.finish()
    assert_same(killed.home, left_alone.home)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_killed_again_and_again(tmp_path, undisturbed, seed):
    """At moments drawn by chance, in all stages: while reading, training, writing, evaluating."""
    run = Interrupted(tmp_path, seed)
    kills = 0
    for _ in range(12):
        progress = (len(run.experts()), run.outer_steps())
        grown = run.dice.choice([(0, 1), (0, 5), (0, 25), (1, 0), (0, 0)])
        wanted = (progress[0] + grown[0], progress[1] + grown[1])
        patience = time.monotonic() + run.dice.uniform(1.5, 6.0)

        def moment(wanted=wanted, patience=patience):
            there = (len(run.experts()), run.outer_steps())
            return (there >= wanted and there > (0, 0)) or time.monotonic() > patience

        status, err = run.interrupt_when(moment)
        assert status in (0, -signal.SIGKILL), err
        if status == 0:
            break
        kills += 1
    assert kills >= 3
    run.finish()
    assert_same(run.home, undisturbed)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are counted in /proc")
def test_ctrl_c_ends_the_workers_of_an_evaluation_at_once(tmp_path):
    """Two workers train networks for a minute each; Ctrl-C reaches the whole group, as from a terminal."""
    asked = ["-o", "methods={random: {}}", "-o", "ipc=10", "-o", "evaluation.protocol=mtt-v1", "-o", "seed=1"]
    process = subprocess.Popen(
        command("run", "quickstart", "--home", tmp_path, "-q", *asked),
        env={**ENVIRONMENT, "OMP_NUM_THREADS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 120
    while len(children.read_text().split()) < 3:  # two workers, and the tracker of their resources
        assert process.poll() is None and time.monotonic() < deadline, "no workers were started"
        time.sleep(0.05)
    time.sleep(5)
    workers = children.read_text().split()
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "the same command goes on from here" in said
    assert time.monotonic() - began < 20
    while left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() - began < 20, f"still there: {left}"
        time.sleep(0.1)
