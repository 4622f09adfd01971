"""Jobs give the same wherever they are done, and whoever does them says what went wrong."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.executor_work import DiesUntil, Draw, Prepare, Whereabouts, broken, precision_of, sensitive

from ddbench.errors import UserError
from ddbench.files.process_identity import ProcessIdentity, this_process
from ddbench.runtime.executors import Local, RayExecutor, Serial, serialize
from ddbench.runtime.executors import ray as on_ray_module
from ddbench.runtime.executors.job_progress import JobProgress, SharedProgress
from ddbench.runtime.executors.local import sweep_job_folders
from ddbench.runtime.executors.ray_address import require_answer
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.runtime.precision import precision_in_use, set_precision

ITEMS = [5, 0, 3, 8, 1, 2, 13]


@pytest.fixture(scope="module")
def two():
    with Local(2, setup=[Prepare("ready")]) as executor:
        yield executor


def results(executor, work=None, items=ITEMS, **more):
    found = list(executor.map(work or Draw(), items, **more))
    assert sorted(position for position, _ in found) == list(range(len(items)))
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def assert_serial(executor):
    for (item, drawn), (wanted, alone) in zip(results(executor), results(Serial()), strict=True):
        assert item == wanted and torch.equal(drawn, alone) and alone.abs().sum() > 0


@pytest.fixture
def precise():
    """A process that computes in full float32, as where a device was chosen, and is then as it was."""
    before = precision_in_use()
    set_precision("float32")
    yield
    set_precision(before)


def test_a_worker_computes_in_the_precision_of_its_parent(precise):
    """torch's own in a new process is TF32 for convolutions."""
    for precision in ("float32", "tf32", "auto"):
        set_precision(precision)
        assert precision_in_use() == precision
        work = serialize.packed(precision_of, ())
        set_precision("auto" if precision == "float32" else "float32")
        answer = serialize.perform(f"work in {precision}", lambda work=work: work, pickle.dumps(1), lambda *_: None)
        assert serialize.result_of(answer) == precision == precision_in_use()


@pytest.mark.slow
def test_jobs_of_processes_compute_in_the_precision_of_their_parent(precise):
    with Local(2) as executor:
        assert results(executor, precision_of) == ["float32"] * len(ITEMS)
        set_precision("tf32")
        assert results(executor, precision_of) == ["tf32"] * len(ITEMS)


@pytest.mark.slow
def test_processes_give_what_one_gives(two):
    """Results, one thread each, what lies open from job to job, and what jobs tell."""
    heard = {}

    def on_progress(position, done, of, **facts):
        heard[position] = (done, of, facts)

    assert_serial(two)
    assert results(two, items=[]) == []
    results(two, on_progress=on_progress)
    assert set(heard) <= set(range(len(ITEMS)))
    assert all(done <= of and facts == {"item": ITEMS[p]} for p, (done, of, facts) in heard.items())
    seen = results(two, Whereabouts(), range(8))
    assert {threads for _, threads, _, _ in seen} == {1}
    assert {tuple(said) for _, _, said, _ in seen} == {("ready",)}, "setup is called once by each"
    processes = {process for process, _, _, _ in seen}
    assert len(processes) == 2 and os.getpid() not in processes
    assert sum(max(count for p, _, _, count in seen if p == process) for process in processes) == 8


def test_what_jobs_tell_is_heard():
    heard = {}
    results(Serial(), on_progress=lambda position, done, of, **facts: heard.update({position: (done, of, facts)}))
    assert heard == {p: (item + 1, item + 1, {"item": item}) for p, item in enumerate(ITEMS)}


def test_a_mistake_in_a_job_comes_out_as_it_is():
    with pytest.raises(UserError) as caught:
        results(Serial(), sensitive, range(4))
    assert caught.value.facts == ("given 2",)


@pytest.mark.slow
def test_mistakes_and_bugs_of_other_processes_come_out_as_they_are(two):
    with pytest.raises(UserError) as caught:
        results(two, sensitive, range(4))
    assert caught.value.facts == ("given 2",) and caught.value.fix == "give another"
    with pytest.raises(ZeroDivisionError):
        results(two, broken, [1, 0])


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_of_and_what_was_done_is_kept(tmp_path, two):
    with pytest.raises(UserError, match="was killed") as caught:
        list(two.map(DiesUntil(tmp_path, 1), [0, 1, 2, 3, 4, 5]))
    assert "--workers" in caught.value.fix and (tmp_path / "0-0").exists()
    for _ in two.map(Whereabouts(), range(6)):
        break  # a loop that is left ends the processes as well
    assert_serial(two)


def test_no_process_is_no_executor():
    with pytest.raises(UserError, match="0 processes"):
        Local(0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked for in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path, end):
    work = Path(__file__).parents[1] / "helpers" / "executor_work.py"
    parent = subprocess.Popen(
        [sys.executable, str(work), str(tmp_path)],
        cwd=work.parents[2],
        env={**os.environ, "PYTHONPATH": f"{work.parents[2]}:{work.parents[1]}"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 90
    while not all((tmp_path / str(n)).exists() and (tmp_path / str(n)).read_text() for n in range(2)):
        assert parent.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    workers = [(tmp_path / str(n)).read_text() for n in range(2)]
    began = time.monotonic()
    if end == signal.SIGINT:
        os.killpg(parent.pid, end)
    else:
        parent.kill()
    parent.wait(20)
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() - began < 20
        time.sleep(0.1)


class Shown:
    def __init__(self):
        self.started, self.updates, self.closed = None, [], False

    def start(self, total, what, done=0):
        assert self.started is None
        self.started = (total, what)

    def update(self, done, **facts):
        self.updates.append((done, facts))

    def close(self):
        self.closed = True


def test_one_bar_shows_all_jobs():
    shown = Shown()
    meter = SharedProgress(shown, 3, "experts")
    meter.on_progress(1, 2, 10, loss=0.5)
    meter.on_progress(0, 5, 10)
    meter.finished(1)
    meter.on_progress(2, 1, 2)
    meter.finished(0)
    meter.finished(2)
    meter.close()
    assert shown.started == (30, "experts") and shown.closed
    assert [done for done, _ in shown.updates] == [2, 7, 15, 20, 25, 30]
    assert shown.updates[0][1] == {"loss": 0.5}


def test_a_bar_knows_jobs_of_several_sizes():
    shown = Shown()
    meter = SharedProgress(shown, 2, "experts", [6, 3])
    assert shown.started == (9, "experts")
    meter.on_progress(1, 3, 3)
    meter.finished(1)
    meter.on_progress(0, 2, 6)
    meter.finished(0, loss=1.0)
    assert shown.updates == [(3, {}), (5, {}), (9, {"loss": 1.0})]


def test_a_meter_inside_a_job_tells():
    told = []
    meter = JobProgress(lambda done, of, **facts: told.append((done, of, facts)))
    meter.start(7, "job", 2)
    meter.update(3, loss=1.0)
    assert told == [(3, 7, {"loss": 1.0})]


def test_a_home_that_is_not_shared_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("ddbench.runtime.executors.shared_filesystem.PATIENCE", 0.2)
    require_seen(tmp_path)
    with pytest.raises(UserError, match="does not see the folder") as caught:
        require_seen(tmp_path / "absent")
    assert "all machines share" in caught.value.fix


def test_without_ray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(on_ray_module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="ray is not installed") as caught:
        RayExecutor()
    assert caught.value.fix == 'pip install "ddbench[ray]"'


@pytest.mark.parametrize("address", ["nowhere", "host:", ":6379", "host:port", "host:70000", "ray://host:10001"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match="is no address of a Ray cluster"):
        require_answer(address)


def test_a_port_where_nobody_listens_is_told_of_at_once():
    with pytest.raises(UserError, match="no Ray cluster answers at 127.0.0.1:9") as caught:
        require_answer("127.0.0.1:9")
    assert "ray start --head" in caught.value.fix


def test_a_host_that_has_no_number_is_told_of():
    with pytest.raises(UserError, match="no Ray cluster answers at no-such-host.invalid:6379"):
        require_answer("no-such-host.invalid:6379")


def test_a_port_where_somebody_listens_is_connected_to():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        require_answer(f"127.0.0.1:{server.getsockname()[1]}")
        with server.accept()[0] as opened:
            assert opened.recv(1) == b""


@pytest.mark.skipif(os.name != "posix", reason="processes are looked up as on POSIX")
def test_work_that_killed_processes_left_is_swept_and_that_of_others_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = ProcessIdentity("here", this_process().space, 2**22 + 1, "5").token
    elsewhere = ProcessIdentity("there", "00000000", 5, "5").token
    kept = [f"ddbench-{this_process().token}-abc", f"ddbench-{elsewhere}-abc", "ddbench-mine", "other"]
    for name in (f"ddbench-{ended}-abc", *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "work").write_bytes(b"images")
    sweep_job_folders()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    assert all((tmp_path / name / "work").exists() for name in kept)
