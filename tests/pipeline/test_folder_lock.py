"""A home that several share: who works where, who waits, and what a killed process leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest
from helpers.command_line import ENVIRONMENT, RECIPE, command, only, written

from ddbench.artifact import read_json
from ddbench.files import folder_lock
from ddbench.files.folder_lock import LOCK, holder_of, is_free, locked
from ddbench.files.process_identity import this_process
from ddbench.pipeline.job_order import in_turns
from ddbench.pipeline.jobs import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are looked up as on POSIX")

HOLD = (
    "import sys, time; from pathlib import Path; from ddbench.files.folder_lock import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(float(sys.argv[2]))\n"
)


def holding(folder, seconds=60.0):
    """A process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stdout.readline() == b"held\n"
    return process


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def written_lock(folder, process, beat=None):
    """The lock of a process that this test makes up."""
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_text(json.dumps({**asdict(process), "since": "2026-01-01 00:00:00 UTC"}))
    if beat is not None:
        os.utime(folder / LOCK, (beat, beat))


def test_the_lock_says_who_and_since_when_and_goes(tmp_path):
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "x").touch()
        holder = holder_of(tmp_path / "run")
        assert holder.process == this_process() and f"process {os.getpid()} on " in holder.in_words
        assert is_free(tmp_path / "run")
    assert holder_of(tmp_path / "run") is None and os.listdir(tmp_path / "run") == ["x"]


def test_a_folder_in_which_nothing_was_made_does_not_stay(tmp_path):
    with pytest.raises(ValueError), locked(tmp_path / "run"):
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_a_process_may_take_its_lock_again(tmp_path):
    with locked(tmp_path / "run"):
        with locked(tmp_path / "run" / ".." / "run"):
            pass
        assert holder_of(tmp_path / "run").process == this_process()
    assert not (tmp_path / "run").exists()


def test_another_process_is_waited_for_and_named_once(tmp_path):
    process, said = holding(tmp_path, 1.5), []
    assert not is_free(tmp_path)
    with locked(tmp_path, say=said.append):
        assert process.wait(timeout=10) == 0
    (line,) = said
    assert f"at work there is process {process.pid} on " in line and "UTC" in line and str(tmp_path) in line


def test_the_lock_of_a_killed_process_is_taken_at_once(tmp_path):
    killed(holding(tmp_path))
    assert is_free(tmp_path)
    began, said = time.monotonic(), []
    with locked(tmp_path, say=said.append):
        assert time.monotonic() - began < 1 and not said
    assert os.listdir(tmp_path) == []


def test_a_number_that_another_process_has_now_does_not_block(tmp_path):
    if this_process().begun == "0":
        pytest.skip("this system does not say when a process began")
    written_lock(tmp_path, replace(this_process(), begun="1"))
    with locked(tmp_path, say=pytest.fail):
        pass


def test_another_machine_is_waited_for_as_long_as_it_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "SILENT_SECONDS", 1.2)
    monkeypatch.setattr(folder_lock, "_LOOK_SECONDS", 0.05)
    elsewhere = replace(this_process(), host="node7", space="00000000", pid=1)
    written_lock(tmp_path, elsewhere)
    over = time.monotonic() + 2

    def beat():
        while time.monotonic() < over:
            time.sleep(0.2)
            os.utime(tmp_path / LOCK)

    thread = threading.Thread(target=beat)
    thread.start()
    said = []
    with locked(tmp_path, say=said.append):
        assert time.monotonic() > over + 0.8
    thread.join()
    assert "process 1 on node7" in said[0]


def test_the_lock_of_another_machine_of_long_ago_is_stale(tmp_path):
    written_lock(tmp_path, replace(this_process(), space="00000000"), beat=time.time() - 4000)
    with locked(tmp_path, say=pytest.fail):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[1]", b'{"host": 1, "space": 2}'])
def test_a_torn_lock_is_waited_for_and_then_removed(tmp_path, content, monkeypatch):
    monkeypatch.setattr(folder_lock, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(folder_lock, "_LOOK_SECONDS", 0.05)
    (tmp_path / LOCK).write_bytes(content)
    said = []
    with locked(tmp_path, say=said.append):
        assert len(said) == 1
    assert os.listdir(tmp_path) == []


def test_the_holder_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "HEARTBEAT_SECONDS", 0.05)
    with locked(tmp_path):
        os.utime(tmp_path / LOCK, (0, 0))
        deadline = time.monotonic() + 10
        while (tmp_path / LOCK).stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_folder_that_can_not_be_written_in_is_worked_in_without_a_lock(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError

    monkeypatch.setattr(folder_lock.os, "link", refuse)
    monkeypatch.setattr(folder_lock.os, "open", refuse)
    with locked(tmp_path):
        assert holder_of(tmp_path) is None


def test_a_file_system_without_hard_links_has_locks_too(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError

    monkeypatch.setattr(folder_lock.os, "link", refuse)
    with locked(tmp_path):
        assert holder_of(tmp_path).process == this_process()
    assert os.listdir(tmp_path) == []


def test_only_one_of_many_has_the_lock_also_where_it_was_stale(tmp_path):
    """Processes that all find the lock of a killed one, each of which counts in a file, slowly."""
    count = tmp_path / "count"
    count.write_text("0")
    (tmp_path / "run").mkdir()
    killed(holding(tmp_path / "run"))
    code = (
        "import sys, time; from pathlib import Path; from ddbench.files.folder_lock import locked\n"
        "from ddbench.files import folder_lock; folder_lock._LOOK_SECONDS = 0.01\n"
        "for _ in range(4):\n"
        "    with locked(Path(sys.argv[1]) / 'run', say=lambda line: None):\n"
        "        count = Path(sys.argv[1]) / 'count'\n"
        "        value = int(count.read_text()); time.sleep(0.02); count.write_text(str(value + 1))\n"
    )
    many = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=ENVIRONMENT) for _ in range(5)]
    assert [process.wait(timeout=60) for process in many] == [0] * 5
    assert count.read_text() == "20"


def test_jobs_at_which_nobody_works_come_first(tmp_path):
    jobs = [Job(label, label, None, 1, 0, None, tmp_path / label, label) for label in "abc"]
    process = holding(tmp_path / "a", 1.0)
    taken = []
    for job in in_turns(jobs):
        assert holder_of(job.folder).process == this_process()
        taken.append(job.label)
    assert taken == ["b", "c", "a"]
    process.wait(timeout=10)


LONGER = RECIPE.replace("iterations: 4", "iterations: 60").replace("batch: 256", "batch: 16")


def started(home, recipe):
    arguments = ("run", recipe, "--home", home, "-q", "--checkpoint-seconds", "0")
    return subprocess.Popen(
        command(*arguments), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_two_runs_of_one_recipe_do_all_work_once_and_print_one_table(tmp_path):
    recipe, home = written(tmp_path, LONGER), tmp_path / "home"
    both = [started(home, recipe) for _ in range(2)]
    ended = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    (one, said_by_one), (other, said_by_other) = ended
    assert one == other and "mtt" in one
    assert "waiting for" in said_by_one + said_by_other
    log = only(home, "runs/*-mtt-*/events.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == list(range(1, 61))
    results = list(home.glob("results/*/*/*.json"))
    assert len(results) == 2
    alone = tmp_path / "alone"
    started(alone, recipe).communicate(timeout=180)
    for path in results:
        here, there = (read_json(context / path.relative_to(home), "row") for context in (home, alone))
        assert here["accuracy"] == there["accuracy"] and here["synthetic_sha256"] == there["synthetic_sha256"]
    left = [path.name for path in home.rglob("*") if path.name == LOCK or path.name.endswith(".part")]
    assert left == []


@pytest.mark.slow
def test_ctrl_c_releases_what_was_locked(tmp_path):
    recipe, home = written(tmp_path, LONGER.replace("iterations: 60", "iterations: 6000")), tmp_path / "home"
    process = subprocess.Popen(
        command("run", recipe, "--home", home, "-q"),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(home.glob("runs/*-mtt-*/events.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    assert list(home.glob(f"runs/*-mtt-*/{LOCK}"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130 and not list(home.rglob(LOCK))
