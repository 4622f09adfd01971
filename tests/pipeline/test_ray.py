"""A real Ray cluster of several nodes on this machine does what one process does, also when one of them is killed."""

import os

import pytest
import torch
from helpers.command_line import process
from helpers.distill_on_ranks import EVERYTHING, evaluation
from helpers.executor_work import DiesUntil, Draw, Prepare, Whereabouts, broken, precision_of, sensitive
from helpers.expert_data import content, tiny_recipe, train

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import load_rows
from ddbench.expert_buffers.buffer import expert_path
from ddbench.runtime.executors import RayExecutor, Serial
from ddbench.runtime.executors import ray as on_ray_module
from ddbench.runtime.precision import precision_in_use, set_precision
from ddbench.runtime.progress import Silent

ray = pytest.importorskip("ray", reason="ray is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A head that does no jobs, and two nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    quickly = {"health_check_period_ms": 1000, "health_check_timeout_ms": 2000, "health_check_failure_threshold": 3}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": quickly}  # a dead node is missed in seconds
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def executor(cluster):
    with RayExecutor(cluster.address, setup=[Prepare("ready")]) as made:
        yield made


def test_jobs_run_on_both_nodes_with_one_thread(executor):
    assert executor.at_once == 2
    seen = list(executor.map(Whereabouts(), range(6)))
    assert {threads for _, (_, threads, _, _) in seen} == {1}
    assert {tuple(said) for _, (_, _, said, _) in seen} == {("ready",)}
    assert len({process for _, (process, _, _, _) in seen}) == 2


def test_jobs_compute_in_the_precision_of_this_process(executor):
    before = precision_in_use()
    try:
        set_precision("float32")
        assert [found for _, found in executor.map(precision_of, range(3))] == ["float32"] * 3
    finally:
        set_precision(before)


def test_results_are_those_of_one_process_and_what_jobs_tell_is_heard(executor):
    items, heard = [5, 0, 3, 8, 1], {}
    found = dict(executor.map(Draw(), items, lambda position, done, of, **facts: heard.update({position: of})))
    for position, (item, drawn) in Serial().map(Draw(), items):
        assert found[position][0] == item and torch.equal(found[position][1], drawn)
    assert all(of == items[position] + 1 for position, of in heard.items())


def test_mistakes_and_bugs_come_out_as_they_are(executor):
    with pytest.raises(UserError) as caught:
        list(executor.map(sensitive, range(4)))
    assert caught.value.facts == ("given 2",)
    with pytest.raises(ZeroDivisionError):
        list(executor.map(broken, [1, 0]))


def test_a_job_whose_process_is_killed_is_done_again_but_not_for_ever(executor, tmp_path, monkeypatch):
    once, ever = tmp_path / "once", tmp_path / "ever"
    once.mkdir(), ever.mkdir()
    monkeypatch.setattr(on_ray_module, "RETRIES", 1)
    assert sorted(executor.map(DiesUntil(once, 1), [0, 1])) == [(0, 0), (1, 1)]
    assert sorted(path.name for path in once.iterdir()) == ["0-0", "1-0", "1-1"]
    with pytest.raises(UserError, match="a job died 2 times"):
        list(executor.map(DiesUntil(ever, 9), [0, 1]))


def test_room_that_is_not_there_is_said(cluster):
    with RayExecutor(cluster.address, gpus_per_job=0.5) as greedy, pytest.raises(UserError, match="has room") as caught:
        list(greedy.map(Draw(), [1]))
    assert "0.5 GPUs" in str(caught.value)


def test_a_cluster_does_what_one_process_does(executor, tmp_path):
    for what in EVERYTHING:
        alone, shared = what(executor, tmp_path / what.__name__)
        assert alone and alone == shared, what.__name__


class KillsOnce(Silent):
    """Kills a node, or all, as soon as so many experts are seen in training at once."""

    def __init__(self, cluster, folder, experts, nodes=1):
        self.cluster, self.folder, self.experts, self.nodes = cluster, folder, experts, nodes
        self.seen, self.killed, self.last = set(), 0, 0

    def update(self, done, expert=None, **facts):
        self.last = done
        self.seen |= set() if expert is None else {expert}
        training = [number for number in self.seen if not expert_path(self.folder, number).exists()]
        if not self.killed and len(training) >= self.experts:
            for node in list(self.cluster.worker_nodes)[: self.nodes]:
                self.cluster.remove_node(node, allow_graceful=False)
                self.killed += 1


def test_the_result_is_that_of_one_process_when_a_node_dies(executor, cluster, tmp_path):
    """Both nodes are seen training experts; then one is killed. What it trained goes on, on the other, which evaluates
    as well."""
    asked = {"recipe": tiny_recipe(count=4, momentum=0.9), "epochs": 250, "checkpoint_seconds": 0}
    train(tmp_path / "alone", **asked)
    watching = KillsOnce(cluster, tmp_path / "shared", experts=2)
    train(tmp_path / "shared", executor=executor, progress=watching, **asked)
    assert watching.killed == 1 and len(cluster.worker_nodes) == 1
    for part in (tmp_path / "shared").glob(".*.part"):
        part.unlink()  # a file that was being written when its node was killed; swept after an hour
    assert content(tmp_path / "shared") == content(tmp_path / "alone")
    assert watching.last == 4 * 250
    alone, shared = evaluation(executor, tmp_path)
    assert alone == shared


def test_when_no_node_is_left_it_does_not_wait_for_ever(executor, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray_module, "NO_ROOM", 1.0)
    watching = KillsOnce(cluster, tmp_path, experts=1, nodes=2)
    with pytest.raises(UserError, match="no machine is left"):
        train(tmp_path, tiny_recipe(count=2), epochs=60_000, executor=executor, progress=watching)
    assert watching.killed and not cluster.worker_nodes
    cluster.add_node(num_cpus=1)
    train(tmp_path / "again", tiny_recipe(count=1), executor=executor)


def test_the_command_line_on_a_cluster_that_it_starts(tmp_path, recipe, finished_home):
    """``ddbench run --executor ray``, without an address, against the same run by one process."""
    done = process("run", recipe, "--home", tmp_path / "home", "-q", "--executor", "ray", "--workers", "2")
    assert done.returncode == 0, done.stderr
    homes = (finished_home, tmp_path / "home")
    alone, shared = ([content(folder) for folder in home.glob("buffers/*")] for home in homes)
    assert alone == shared
    alone, shared = ({(row.label, row.accuracy) for row in load_rows([home / "results"])} for home in homes)
    assert alone == shared and len(alone) == 2


def test_the_command_line_on_a_cluster_that_runs(tmp_path, recipe, ddbench, cluster, executor, finished_home):
    home = tmp_path / "home"
    ddbench.done("buffer", recipe, "--home", home, "-q", "--executor", "ray", "--address", cluster.address)
    alone, shared = ([content(folder) for folder in of.glob("buffers/*")] for of in (finished_home, home))
    assert alone == shared
