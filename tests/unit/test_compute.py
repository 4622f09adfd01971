"""One computation, as entry points pass it on: what travels to a worker, and what stays."""

import pickle

import pytest
import torch
from helpers.computing import computing, under
from helpers.distillation_makers import tiny_task
from helpers.evaluation_makers import short, tiny_real, tiny_synthetic
from helpers.expert_data import tiny_recipe, train
from helpers.nas_makers import tiny_space

from ddbench.distillation.run import run
from ddbench.errors import UserError
from ddbench.evaluate.nas import rank, recipe
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.selection import select
from ddbench.methods import METHODS
from ddbench.pipeline.context import RunContext
from ddbench.runtime.compute import Compute, choose_compute
from ddbench.runtime.distributed import Ranks
from ddbench.runtime.executors import Serial
from ddbench.runtime.progress import Bar, Silent


class Elsewhere(Serial):
    """Carries out pickled jobs in this process, and remembers how each was to be computed."""

    elsewhere = True

    def __init__(self):
        self.computed = []

    def map(self, work, items, on_progress=lambda *told, **facts: None):
        work = pickle.loads(pickle.dumps(work))
        self.computed.append(work.compute)
        return super().map(work, items, on_progress)


def scored(compute, folder):
    score(tiny_synthetic(tiny_real()), tiny_real(), protocol=short(), seeds=(0,), compute=compute)


def scored_on_real(compute, folder):
    score_real(tiny_real(), protocol=short(), network="convnet-d1-w4", compute=compute)


def selected(compute, folder):
    for step in (1, 2):
        tiny_synthetic(tiny_real(), seed=step).save(folder / f"{step:06d}.safetensors")
    select(folder, "validation", tiny_real(), protocol=short(), compute=compute)


def trained(compute, folder):
    given = {name: getattr(compute, name) for name in ("executor", "progress", "precision", "checkpoint_seconds")}
    train(folder, tiny_recipe(count=1), epochs=1, **given)


def distilled(compute, folder):
    task = tiny_task(experts=False, teachers=True)
    given = {name: getattr(compute, name) for name in ("executor", "progress", "precision", "checkpoint_seconds")}
    method = METHODS.get("sre2l").model_validate({"iterations": 1, "classes_at_once": 3})
    run(method, under(task, **given), 1, folder, seed=0)


def ranked(compute, folder):
    asked = {"space": tiny_space(), "seeds": 1, "baselines": (), "protocol": recipe(1, "none")}
    rank([tiny_synthetic(tiny_real())], tiny_real(), folder=folder, compute=compute, **asked)


@pytest.mark.parametrize("entry", [scored, scored_on_real, selected, trained, distilled, ranked])
def test_jobs_keep_the_precision_and_the_pause_and_nothing_of_this_process(entry, tmp_path):
    by = Elsewhere()
    entry(computing(executor=by, progress=Bar(), precision="half", checkpoint_seconds=7.0), tmp_path)
    assert by.computed
    for job in by.computed:
        assert (job.precision, job.checkpoint_seconds, job.device) == ("half", 7.0, torch.device("cpu"))
        assert type(job.executor) is Serial and type(job.progress) is Silent and job.ranks.alone


def test_one_process_has_no_executor_no_progress_and_no_ranks():
    whole = Compute(executor=Elsewhere(), progress=Bar(), ranks=Ranks(1, 4), compile="on", together=3)
    alone = whole.on(torch.device("meta"))
    assert (alone.device.type, alone.compile, alone.together) == ("meta", "on", 3)
    assert alone.ranks.alone and type(alone.executor) is Serial and type(alone.progress) is Silent
    assert type(whole.silent().progress) is Silent and whole.silent().executor is whole.executor


def test_a_caller_of_the_api_gets_what_it_asks_for():
    by, bar = Elsewhere(), Bar()
    chosen = choose_compute("cpu", compile="on", executor=by, progress=bar)
    assert (chosen.device, chosen.compile, chosen.executor, chosen.progress) == (torch.device("cpu"), "on", by, bar)
    assert type(choose_compute("cpu", progress=False).executor) is Serial
    with pytest.raises(UserError, match="there is no device 'gpu'"):
        choose_compute("gpu")


@pytest.mark.parametrize(("rank", "quiet", "shown"), [(0, False, True), (1, False, False), (0, True, False)])
def test_the_first_rank_shows_the_progress_of_a_run(monkeypatch, tmp_path, rank, quiet, shown):
    monkeypatch.setattr("ddbench.pipeline.context.launched", lambda: (rank, 2))
    context = RunContext(tmp_path, device="cpu", quiet=quiet, together=True, checkpoint_seconds=3.0, compile="off")
    compute = context.compute
    assert isinstance(compute.progress, Bar) is shown
    assert (compute.checkpoint_seconds, compute.compile, compute.device.type) == (3.0, "off", "cpu")
    assert context.compute is compute
