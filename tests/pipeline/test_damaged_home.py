"""Every file of a home damaged in turn: the same command goes on, makes it anew, or says once what to delete."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import pytest
from helpers.command_line import RECIPE, one_error, written

from ddbench.artifact import read_json
from ddbench.commands import main
from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Run
from ddbench.expert_buffers import checkpoint as expert_state

pytestmark = pytest.mark.slow

SELECTING = RECIPE.replace("selection: last", "selection: validation\n  selection_seeds: 1\n  steps: 3").replace(
    "iterations: 4", "iterations: 4\n    keep_every: 2"
)
OPTIONS = ("-q", "--checkpoint-seconds", "0")


def run(folder: Path) -> int:
    return main(["run", str(written(folder, SELECTING)), "--home", str(folder / "home"), *OPTIONS])


def rows_of(home: Path) -> dict[str, tuple]:
    """What does not depend on the clock of every row, by label."""
    rows = (read_json(path, "row") for path in home.rglob("results/*/*/*.json"))
    return {row["label"]: (row["accuracy"], row["synthetic_sha256"], row["selected_step"]) for row in rows}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert run(folder) == 0
    return folder / "home"


@pytest.fixture(scope="module")
def in_distillation(tmp_path_factory):
    """A home whose distillation was stopped after two steps."""
    folder, step = tmp_path_factory.mktemp("distilling"), OuterState.step

    def stopping(self, at):
        if at.number == 3:
            raise KeyboardInterrupt
        return step(self, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OuterState, "step", stopping)
        assert run(folder) == 130
    return folder / "home"


@pytest.fixture(scope="module")
def in_experts(tmp_path_factory):
    """A home whose second expert was stopped after an epoch."""
    folder, keep = tmp_path_factory.mktemp("experts"), expert_state.ExpertCheckpoint.keep

    def stopping(self, epochs, *rest):
        keep(self, epochs, *rest)
        if self.identity["expert"] == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expert_state.ExpertCheckpoint, "keep", stopping)
        assert run(folder) == 130
    return folder / "home"


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def junk(content: bytes) -> bytes:
    return random.Random(0).randbytes(max(len(content), 50))


def empty(content: bytes) -> bytes:
    return b""


def bit(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 2]) + content[middle + 1 :]


KINDS = {
    "finished": [
        "runs/*-mtt-*/events.jsonl",
        "runs/*-mtt-*/state.safetensors",
        "runs/*-mtt-*/start.safetensors",
        "runs/*-mtt-*/candidates/000002.safetensors",
        "runs/*-mtt-*/candidates/000004.safetensors",
        "runs/*-mtt-*/candidates/scores/000002-*.json",
        "runs/*-mtt-*/synthetic.safetensors",
        "runs/*-mtt-*/synthetic.png",
        "runs/*-random-*/candidates/000000.safetensors",
        "buffers/*/buffer.json",
        "buffers/*/expert-0001.safetensors",
        "results/digits/ipc1/mtt-*.json",
    ],
    "in_distillation": [
        "runs/*-mtt-*/events.jsonl",
        "runs/*-mtt-*/state.safetensors",
        "runs/*-mtt-*/start.safetensors",
        "runs/*-mtt-*/candidates/000002.safetensors",
        "buffers/*/expert-0000.safetensors",
    ],
    "in_experts": ["buffers/*/.expert-0001.unfinished", "buffers/*/expert-0000.safetensors", "buffers/*/buffer.json"],
}
CASES = [(state, pattern, damage) for state, patterns in KINDS.items() for pattern in patterns
         for damage in (cut, junk, empty, bit)]  # fmt: skip


@pytest.mark.parametrize(("state", "pattern", "damage"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_a_damaged_file_ends_in_the_same_rows_or_one_error(state, pattern, damage, request, finished, tmp_path, capsys):
    home = Path(shutil.copytree(request.getfixturevalue(state), tmp_path / "home"))
    (file,) = home.glob(pattern)
    file.write_bytes(damage(file.read_bytes()))
    wanted = rows_of(finished)
    capsys.readouterr()
    status = run(tmp_path)
    said = capsys.readouterr().err
    if status == 2:
        error = one_error(said[said.index("ddbench: ") :])
        assert file.name in error and re.search("delete|train it again", error), error
        if file.name == "start.safetensors":
            shutil.rmtree(file.parent)
        else:
            file.unlink()
        assert run(tmp_path) == 0
    else:
        assert status == 0
    found = rows_of(home)
    assert found == wanted
    left = [path.name for path in home.rglob("*") if path.suffix == ".part" or path.name == ".lock"]
    assert left == []


@pytest.mark.parametrize(
    "tail", [b'{"step": 2', b"\xff\x00\xfe", b"[1]\n", b"7\n", b'{"step": "x"}\n', b'{"step":1}{', b"x" * 10**6]
)
def test_a_log_of_any_kind_does_not_stop_a_run(tmp_path, tail):
    run_folder = Run(tmp_path)
    for step in (1, 2, 3):
        run_folder.log({"step": step, "loss": float("nan")})
    with run_folder.events.open("ab") as file:
        file.write(tail)
    run_folder.forget_events_after(2)
    run_folder.log({"step": 3})
    steps = [json.loads(line)["step"] for line in run_folder.events.read_text().splitlines()]
    assert steps == [1, 2, 3]


def test_a_log_that_can_not_be_written_is_told_once(tmp_path, capsys):
    (tmp_path / "events.jsonl").mkdir()
    run_folder = Run(tmp_path)
    run_folder.forget_events_after(0)
    for step in range(3):
        run_folder.log({"step": step})
    said = capsys.readouterr().err
    assert said.startswith("note: the log ") and said.count("events.jsonl") >= 1 and said.count("note:") == 1


def test_a_picture_that_fails_does_not_end_a_run(tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed")

    monkeypatch.setattr("ddbench.pipeline.pictures.draw_set", fail)
    assert run(tmp_path) == 0
    said = capsys.readouterr()
    assert said.err.count("note: the picture ") == 2 and "surrogates" in said.err and "mtt" in said.out


def test_files_that_others_may_read(finished):
    mask = os.umask(0)
    os.umask(mask)
    modes = {path.stat().st_mode & 0o777 for path in finished.rglob("*") if path.is_file()}
    assert modes == {0o666 & ~mask}
