"""Distillations of one recipe in several processes: which are shared out, and that the sets stay what they are."""

import pickle

import pytest
import torch
from helpers.command_line import written

from ddbench.domains.images import side_by_side
from ddbench.errors import UserError
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.training.worker_count import should_parallelize
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.executor_choice import ExecutorFactory
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.recipe import load_recipe
from ddbench.runtime.executors import Serial
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic

TEXT = """\
dataset: digits
network: convnet-d1-w4
ipc: [1, 2]
experts: {count: 1, lr: 0.02, epochs: 3}
methods:
  random:
  mtt: &steps {iterations: 4, inner_steps: 3, max_start_epoch: 2, image_lr: 10, augmentation: none}
  long: {<<: *steps, method: mtt, iterations: 8, guard: {threshold: 1000}}
evaluation: {protocol: dc-v1, seeds: 1, selection: last}
"""


class Several(Serial):
    """Jobs as other processes get them, one after the other in this one."""

    at_once = 2

    def __init__(self):
        self.items = []

    def map(self, work, items, on_progress=lambda *told, **facts: None):
        work = pickle.loads(pickle.dumps(work))
        self.items += items if isinstance(work, side_by_side.DistillationWork) else []  # experts are jobs as well
        for position, item in enumerate(items):
            yield position, work(item, lambda *told, at=position, **facts: on_progress(at, *told, **facts))


class OneChoice(ExecutorFactory):
    """A factory that remembers whether jobs were worth it, and always gives the same executor."""

    def __init__(self, executor):
        super().__init__("serial")
        self.executor, self.worth = executor, []

    def on(self, device, *, worth, each=0):
        self.worth.append(worth)
        return self.executor


def pipeline(folder, executor, text=TEXT):
    folder.mkdir(exist_ok=True)
    loaded = load_recipe(str(written(folder, text, "my.yaml")))
    return Pipeline(loaded, RunContext(folder / "home", device="cpu", quiet=True, executors=OneChoice(executor)))


def ahead(made):
    made.domain.distill_ahead(made)
    return [made.jobs[number].title for number in made.context.executors.executor.items]


def sets(made):
    for job in made.jobs:
        made.stages.run(job, last="distill")
    return {job.title: load_synthetic(job.set_path).images for job in made.jobs}


def test_outer_loops_are_shared_out_the_longest_first_and_give_the_same_sets(tmp_path):
    shared = pipeline(tmp_path, Several())
    assert ahead(shared) == ["long ipc 1", "long ipc 2", "mtt ipc 1", "mtt ipc 2"]
    assert all(shared.stages.distill.done(job) for job in shared.jobs if job.label != "random")
    alone = pipeline(tmp_path / "alone", Serial())
    expected = sets(alone)
    assert expected.keys() == sets(shared).keys() and len(expected) == 6
    assert all(torch.equal(images, expected[title]) for title, images in sets(shared).items())


def test_what_is_there_is_not_distilled_again(tmp_path):
    first = pipeline(tmp_path, Serial())
    first.stages.run(first.jobs[2], last="distill")
    assert ahead(pipeline(tmp_path, Several())) == ["long ipc 1", "long ipc 2", "mtt ipc 2"]
    assert ahead(pipeline(tmp_path, Several())) == []


def test_a_short_recipe_is_not_worth_processes_and_a_long_one_is(tmp_path):
    short = pipeline(tmp_path, Several())
    short.stages.distill.prepare = lambda job: None
    ahead(short)
    assert short.context.executors.worth == [False]
    long = pipeline(tmp_path, Several(), TEXT.replace("iterations: 8", "iterations: 10_000_000"))
    long.stages.distill.done = lambda job: False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "DistillationWork", lambda *given: lambda item, report: None)
        patch.setattr(Several, "map", lambda self, work, items, show: iter(()))
        long.domain.distill_ahead(long)
    assert long.context.executors.worth[0] is True


def test_one_outer_loop_alone_is_left_to_its_own_stage(tmp_path):
    text = "\n".join(line for line in TEXT.replace("ipc: [1, 2]", "ipc: 1").splitlines() if "long" not in line)
    assert ahead(pipeline(tmp_path, Several(), text)) == []


def test_the_error_of_one_is_the_error_of_the_run(tmp_path):
    made = pipeline(tmp_path, Several(), TEXT.replace("threshold: 1000", "threshold: 1e-9, patience: 2"))
    with pytest.raises(UserError, match="can not recover"):
        ahead(made)


@pytest.mark.slow
def test_two_processes_distill_what_one_does(ddbench, tmp_path):
    recipe = written(tmp_path, TEXT, "my.yaml")
    for home, options in (("one", ["serial"]), ("two", ["local", "--workers", "2"])):
        ddbench.done("run", recipe, "--home", tmp_path / home, "--quiet", "--device", "cpu", "--executor", *options)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("synthetic.safetensors"))
    assert len(files) == 6
    for file in files:
        one, two = (load_synthetic(tmp_path / home / file) for home in ("one", "two"))
        assert torch.equal(one.images, two.images) and torch.equal(one.labels, two.labels)


def test_processes_that_run_already_serve_shorter_evaluations():
    """100 digits under dc-v1, 300 epochs of five ConvNets: some seconds, for which processes are not started."""
    protocol, network = protocol_named("dc-v1"), "convnet-d2-w32"
    syn = SyntheticSet(
        images=torch.zeros(100, 1, 8, 8),
        labels=torch.arange(10).repeat_interleave(10),
        label_kind="hard",
        class_names=tuple("0123456789"),
        ipc=10,
        network=network,
        method="random",
        dataset="digits",
        preprocessing={"kind": "meanstd"},
    )
    assert not should_parallelize(syn, protocol, [network], 5)
    assert should_parallelize(syn, protocol, [network], 5, running=True)
    assert not should_parallelize(syn, protocol, [network], 1, running=True)
    assert should_parallelize(syn, protocol, [network], 20)
