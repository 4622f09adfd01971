"""What processes of this machine share out is what one process does, to the bit; and what the options say of it."""

import subprocess
import sys

import pytest
import torch
from helpers.command_line import ENVIRONMENT, RECIPE, process, written
from helpers.distill_on_ranks import EVERYTHING, compensators, evaluation
from helpers.expert_data import content, tiny_recipe, train

from ddbench.errors import UserError
from ddbench.pipeline.executor_choice import ExecutorFactory
from ddbench.runtime.executors import Local, RayExecutor, Serial
from ddbench.runtime.executors import ray as on_ray_module
from ddbench.synthetic.synthetic_set import load_synthetic

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def two():
    with Local(2) as executor:
        yield executor


@pytest.mark.slow
@pytest.mark.parametrize("what", EVERYTHING, ids=lambda what: what.__name__)
def test_two_processes_do_what_one_does(what, two, tmp_path):
    alone, shared = what(two, tmp_path)
    assert alone and alone == shared


def test_serial_is_what_is_done_without_an_executor(tmp_path):
    for what in (evaluation, compensators):
        alone, shared = what(Serial(), tmp_path / what.__name__)
        assert alone and alone == shared


@pytest.mark.slow
def test_an_expert_that_diverges_is_said(tmp_path, two):
    with pytest.raises(UserError, match="diverged"):
        train(tmp_path, tiny_recipe(lr=1e30), epochs=3, executor=two)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--address", "host:6379"], "--address does not go with --executor auto"),
        (["--executor", "local", "--address", "auto"], "--address does not go with --executor local"),
        (["--executor", "serial", "--workers", "2"], "--workers does not go with --executor serial"),
        (["--gpus-per-job", "0.5"], "--gpus-per-job does not go with --executor auto"),
        (["--executor", "ray", "--address", "a:1", "--workers", "2"], "--workers does not go with --executor ray"),
        (["--executor", "ray", "--address", "127.0.0.1:9"], "no Ray cluster answers at 127.0.0.1:9"),
        (["--executor", "ray", "--address", "nowhere"], "is no address of a Ray cluster"),
        (["--executor", "ray", "--gpus-per-job", "1.5"], "1.5 is no share of a GPU"),
    ],
)
def test_options_that_do_not_go_together_are_refused(ddbench, recipe, tmp_path, given, said, monkeypatch):
    monkeypatch.setattr(on_ray_module, "find_spec", lambda name: name)
    for command in (["run", recipe], ["buffer", recipe], ["distill", recipe], ["evaluate", recipe]):
        assert said in ddbench.refused(*command, "--home", tmp_path / "home", *given)
    assert not (tmp_path / "home").exists()


def test_an_unknown_executor_is_named(ddbench, recipe):
    assert "'magic'" in ddbench.refused("run", recipe, "--executor", "magic")


def test_without_ray_the_command_says_how_to_get_it(ddbench, recipe, monkeypatch):
    monkeypatch.setattr(on_ray_module, "find_spec", lambda name: None)
    assert 'pip install "ddbench[ray]"' in ddbench.refused("run", recipe, "--executor", "ray")


def test_graphs_have_no_jobs_to_share_out(ddbench):
    assert "no jobs to share out" in ddbench.refused("run", "quickstart-graphs", "--executor", "local")


def test_ranks_share_experts_out_themselves(monkeypatch):
    monkeypatch.setattr("ddbench.pipeline.executor_choice.launched", lambda: (0, 2))
    ExecutorFactory("auto")
    with pytest.raises(UserError, match="torchrun"):
        ExecutorFactory("local")


def test_auto_starts_processes_where_they_are_worth_it(monkeypatch):
    monkeypatch.setattr("ddbench.pipeline.executor_choice._cores", lambda: 4)
    with ExecutorFactory() as executors:
        assert isinstance(executors.on(CPU, worth=False), Serial)
        assert executors.on(CPU, worth=True).at_once == 4
        assert executors.on(CPU, worth=True) is executors.on(CPU, worth=True)
        monkeypatch.setattr("ddbench.runtime.available_memory.free_bytes", lambda device: 1000)
        assert executors.on(CPU, worth=True, each=400).at_once == 2
        assert isinstance(executors.on(CPU, worth=True, each=600), Serial)
    monkeypatch.setattr("ddbench.pipeline.executor_choice._cores", lambda: 1)
    with ExecutorFactory() as executors:
        assert isinstance(executors.on(CPU, worth=True), Serial)
    with ExecutorFactory("auto", 3) as executors:
        assert executors.on(CPU, worth=True).at_once == 3


def test_on_a_gpu_processes_are_bounded_by_its_memory_and_by_four(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr("ddbench.pipeline.executor_choice._cores", lambda: 96)
    monkeypatch.setattr("ddbench.runtime.available_memory.free_bytes", lambda device: 3 * 2**30)
    with ExecutorFactory("local") as executors:
        assert executors.on(cuda, worth=True).at_once == 4
        assert executors.on(cuda, worth=True, each=2**29).at_once == 3, "a context each, and what they compute with"
        assert executors.on(cuda, worth=True, each=2**40).at_once == 1
        assert executors.on(CPU, worth=True).at_once == 96
    with ExecutorFactory("local", 7) as executors:
        assert executors.on(cuda, worth=True, each=2**30).at_once == 7


def test_local_and_serial_are_what_was_said(monkeypatch):
    with ExecutorFactory("serial") as executors:
        assert isinstance(executors.on(CPU, worth=True), Serial)
    with ExecutorFactory("local", 2) as executors:
        assert executors.on(CPU, worth=False).at_once == 2


def test_help_of_the_options_loads_neither_torch_nor_ray():
    code = (
        "import sys; from ddbench.commands import main; main(['run', '--help']); "
        "assert not {'torch', 'ray'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "--gpus-per-job" in done.stdout, done.stderr


PLUGIN = """
from ddbench.methods import METHODS
from helpers.executor_work import Walks


@METHODS.register("far-walks")
class FarWalks(Walks):
    steps: int = 4
"""


@pytest.mark.slow
def test_two_workers_make_the_files_of_one_and_know_plugins(tmp_path):
    plugin = written(tmp_path, PLUGIN, "far.py")
    text = RECIPE.replace("  random:\n", "  random:\n  far-walks:\n").replace("seeds: 1", "seeds: 3")
    recipe = written(tmp_path, text.replace("selection: last", "selection: validation"))
    found = []
    for name, how in (("one", ["--executor", "serial"]), ("two", ["--executor", "local", "--workers", "2"])):
        home = tmp_path / name
        env = {"PYTHONPATH": f"{ENVIRONMENT['PYTHONPATH']}:{ENVIRONMENT['PYTHONPATH']}/tests"}
        done = process("run", recipe, "--home", home, "-q", "--plugin", plugin, *how, env=env)
        assert done.returncode == 0, done.stderr
        sets = {path.parent.name: load_synthetic(path) for path in home.glob("runs/*/synthetic.safetensors")}
        (folder,) = home.glob("buffers/*")
        assert len(sets) == 3
        rows = sorted(line.split("  ")[0] + line[12:32] for line in done.stdout.splitlines() if "%" in line)
        found.append((content(folder), rows, {key: syn.images.tolist() for key, syn in sets.items()}))
    assert found[0] == found[1]


def test_ray_is_asked_for_gpus_only_where_there_are_some(monkeypatch):
    monkeypatch.setattr(on_ray_module, "find_spec", lambda name: name)
    with ExecutorFactory("ray", 1, device="cpu") as executors:
        chosen = executors.on(CPU, worth=False)
        assert isinstance(chosen, RayExecutor) and chosen.elsewhere and chosen.device(CPU) == CPU
    with ExecutorFactory("ray", gpus_per_job=0.25) as executors:
        assert executors.on(CPU, worth=False).device(CPU).type == "cuda"
