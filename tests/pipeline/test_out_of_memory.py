"""Memory that runs out in the middle: the state is saved, the message says what to change, and the run goes on."""

import subprocess
import sys

import pytest
import torch
from helpers.command_line import ENVIRONMENT, copy_of, times
from helpers.computing import computing, under
from helpers.distillation_makers import tiny_task
from helpers.memory_makers import ERRORS

from ddbench import artifact
from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.outer_optimizer import SGD
from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Run
from ddbench.errors import UserError
from ddbench.methods.mtt import MTT

SETTINGS = {"inner_steps": 4, "max_start_epoch": 4, "image_lr": 5.0, "student_lr": 0.05, "student_lr_lr": 1e-4}


def method(**more):
    return MTT(**SETTINGS, iterations=8, keep_every=4, **more)


def run(folder, how=None, **more):
    return optimize(how or method(), under(tiny_task(), **more), 1, folder, seed=3)


def failing(monkeypatch, target, error, calls):
    """Let the calls of these numbers, from 1, to a method fail with an error, half way if it takes long."""
    name, _, attribute = target.rpartition(".")
    module, _, kind = name.rpartition(".")
    owner = getattr(sys.modules[module], kind)
    real, count = getattr(owner, attribute), iter(range(1, 10**6))

    def sometimes(self, *arguments, **named):
        if next(count) in calls:
            raise error
        return real(self, *arguments, **named)

    monkeypatch.setattr(owner, attribute, sometimes)


def same_bits(one, two):
    assert [path.name for path in one] == [path.name for path in two]
    for a, b in zip(one, two, strict=True):
        assert artifact.describe(a)["sha256"] == artifact.describe(b)["sha256"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_step_that_does_not_fit_leaves_the_state_before_it(tmp_path, monkeypatch, error):
    whole = run(tmp_path / "whole")
    failing(monkeypatch, "ddbench.methods.mtt.MTT.outer_loss", error, {6})
    with pytest.raises(UserError, match="out of memory while distilling") as caught:
        run(tmp_path / "parts", checkpoint_seconds=1e9)
    assert "the state after outer step 5" in str(caught.value) and "-o method.batch_syn=1" in caught.value.fix
    assert artifact.describe(Run(tmp_path / "parts").state)["step"] == 5
    monkeypatch.undo()
    same_bits(whole, run(tmp_path / "parts"))


@pytest.mark.parametrize("call", [1, 2, 6])
def test_a_step_that_stops_half_way_is_taken_back(tmp_path, monkeypatch, call):
    """The optimizer has moved the images, and not the learning rate, when memory runs out."""
    whole = run(tmp_path / "whole")
    count = iter(range(1, 100))
    real = SGD.step

    def half(self, values, gradient, state):
        if next(count) == 2 * call:
            raise MemoryError
        return real(self, values, gradient, state)

    monkeypatch.setattr(SGD, "step", half)
    with pytest.raises(UserError, match="out of memory"):
        run(tmp_path / "parts", checkpoint_seconds=1e9)
    assert artifact.describe(Run(tmp_path / "parts").state)["step"] == call - 1
    monkeypatch.undo()
    same_bits(whole, run(tmp_path / "parts"))


@pytest.mark.parametrize("call", [1, 2])
def test_a_candidate_that_did_not_fit_is_made_when_the_run_goes_on(tmp_path, monkeypatch, call):
    whole = run(tmp_path / "whole")
    failing(monkeypatch, "ddbench.distillation.outer_state.OuterState.keep", MemoryError(), {call})
    with pytest.raises(UserError, match=f"the state after outer step {4 * call}"):
        run(tmp_path / "parts", checkpoint_seconds=1e9)
    monkeypatch.undo()
    same_bits(whole, run(tmp_path / "parts"))


def test_the_first_step_that_does_not_fit_leaves_the_beginning(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole")
    failing(monkeypatch, "ddbench.methods.mtt.MTT.outer_loss", ERRORS[2], {1})
    with pytest.raises(UserError, match="the state after outer step 0"):
        run(tmp_path / "parts")
    monkeypatch.undo()
    same_bits(whole, run(tmp_path / "parts"))


def test_a_start_that_does_not_fit_leaves_nothing(tmp_path, monkeypatch):
    failing(monkeypatch, "ddbench.methods.mtt.MTT.initialize", ERRORS[0], {1})
    with pytest.raises(UserError, match="nothing, for no step was taken"):
        run(tmp_path)
    monkeypatch.undo()
    assert len(run(tmp_path)) == 2


def test_a_run_goes_on_with_fewer_graphs_at_a_time_to_the_same_set_but_for_rounding(tmp_path, monkeypatch):
    many, one = ({"unroll": {"kind": "adjoint", "every": every}} for every in (3, 1))
    whole = run(tmp_path / "whole", method(**many))
    failing(monkeypatch, "ddbench.methods.mtt.MTT.outer_loss", ERRORS[1], {4})
    with pytest.raises(UserError, match=r"-o method.unroll.every=1 \([0-9.]+ MB; the same gradient; the run goes on\)"):
        run(tmp_path / "parts", method(**many))
    monkeypatch.undo()
    parts = run(tmp_path / "parts", method(**one))
    for a, b in zip(whole, parts, strict=True):
        found, expected = (artifact.load(path, "synthetic set")[0]["images"] for path in (b, a))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_how_many_graphs_are_held_is_no_part_of_what_a_run_is(ddbench, recipe, finished_home, tmp_path):
    home = copy_of(finished_home, tmp_path)
    before = times(home / "runs")
    ddbench.done("distill", recipe, "--home", home, "-o", "method.unroll={kind: adjoint, every: 3}")
    assert times(home / "runs") == before
    ddbench.done("distill", recipe, "--home", home, "-o", "method.unroll=tesla", "--quiet")
    assert len(times(home / "runs")) > len(before)


def test_another_unroll_is_another_run(tmp_path):
    run(tmp_path)
    with pytest.raises(UserError, match="another unroll"):
        run(tmp_path, method(unroll="tesla"))


def test_a_step_taken_back_does_not_forget_what_the_guard_may_put_back(tmp_path):
    task = tiny_task()
    outer_state = OuterState(method(), task, 1, 3, Run(tmp_path))
    before = {"images": torch.ones(1)}
    outer_state.last_good, outer_state._half_done = (
        {n: t.detach().clone() for n, t in outer_state._tensors().items()},
        before,
    )
    outer_state.rollback_half_step()
    assert outer_state.last_good is before and outer_state._half_done is None


def test_experts_that_do_not_fit_keep_their_last_epoch(tmp_path, monkeypatch):
    from helpers.expert_data import tiny_real

    from ddbench.expert_buffers.expert_training import train_experts
    from ddbench.recipe.experts import ExpertRecipe

    real, recipe = tiny_real(images=60), ExpertRecipe(count=2, batch=20, lr=0.05)
    asked = {"epochs": 4, "seed": 1, "compute": computing(checkpoint_seconds=1e9)}
    whole = train_experts(tmp_path / "whole", real, "convnet-d1-w4", recipe, **asked)
    failing(monkeypatch, "ddbench.training.loop.ScheduledOptimizer.update", ERRORS[1], {17})
    with pytest.raises(UserError, match="out of memory while training experts") as caught:
        train_experts(tmp_path / "parts", real, "convnet-d1-w4", recipe, **asked)
    assert "-o experts.batch=10" in caught.value.fix
    monkeypatch.undo()
    assert len(list((tmp_path / "parts").glob(".*.unfinished"))) == 1, (
        "one expert is whole, the other as far as it came"
    )
    parts = train_experts(tmp_path / "parts", real, "convnet-d1-w4", recipe, **asked)
    assert all(torch.equal(whole[1, epoch], parts[1, epoch]) for epoch in range(5))


def test_an_evaluation_that_does_not_fit_says_so(monkeypatch):
    from helpers.evaluation_makers import short, tiny_real

    from ddbench.evaluate.score_real import score_real

    def train_and_test(*evaluation):
        raise ERRORS[2]

    monkeypatch.setattr("ddbench.evaluate.score.train_and_test", train_and_test)
    with pytest.raises(UserError, match="out of memory while training evaluation networks"):
        score_real(tiny_real(), protocol=short(), network="convnet-d1-w4")


CHILD = """
import resource, sys, pathlib, torch
torch.set_num_threads(1)
from helpers.distillation_makers import tiny_task
from helpers.computing import under
from helpers.memory_makers import ERRORS
from ddbench.errors import UserError
from ddbench.methods.mtt import MTT
from ddbench.distillation.outer_loop import optimize
from ddbench.runtime.progress import Silent
more = dict(inner_steps=40, max_start_epoch=4, image_lr=5.0, student_lr=0.05, student_lr_lr=1e-4)
task = tiny_task(images=600)

class Tighten(Silent):
    def update(self, done, **facts):
        if done == 2:
            used = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1]) * 1024
            resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20),) * 2)
            optimize.__globals__["OuterState"].step = bigger

real = optimize.__globals__["OuterState"].step
def bigger(self, at):
    self.method = self.method.model_copy(update=dict(unroll=type(self.method.unroll)(kind="full")))
    return real(self, at)

try:
    optimize(MTT(**more, iterations=4), under(task, progress=Tighten()), 100, pathlib.Path(sys.argv[1]), seed=3)
except UserError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_a_real_lack_of_memory_is_caught_and_the_state_saved(tmp_path):
    """A process whose address space is closed down in the middle, and whose next step keeps all graphs."""
    path = ":".join([str(tmp_path), ENVIRONMENT["PYTHONPATH"], f"{ENVIRONMENT['PYTHONPATH']}/tests"])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "run")],
        env={**ENVIRONMENT, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "out of memory while distilling" in done.stdout and "the state after outer step 2" in done.stdout
    tensors, document = artifact.load(Run(tmp_path / "run").state, "distillation state")
    assert document["step"] == 2 and tensors["images"].isfinite().all()
