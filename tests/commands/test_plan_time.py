"""How long a recipe will take, by a few of its steps: what is counted, and that it is what would run."""

import json

import pytest
from helpers.command_line import RECIPE, written
from helpers.computing import computing

from ddbench.evaluate.protocols.builtin import protocol
from ddbench.evaluate.protocols.protocol import EvaluationContext
from ddbench.methods import METHODS
from ddbench.networks import ImageShape
from ddbench.plan import time_distillation, time_training
from ddbench.plan.time_distillation import TimingSetup, in_turns, outer_step_seconds
from ddbench.plan.time_training import evaluation_seconds, expert_seconds
from ddbench.recipe.experts import ExpertRecipe

STAGE = TimingSetup(network="convnet-d1-w4", shape=ImageShape(1, 8, 3), compute=computing())
TRAJECTORY = {"max_start_epoch": 2, "image_lr": 1.0, "iterations": 5}


def test_the_first_calls_count_only_where_they_take_long():
    took = {"short": iter([9.0, *(1.0 for _ in range(9))]), "long": iter([9.0, *(2.0 for _ in range(9))])}
    assert in_turns({name: lambda name=name: next(took[name]) for name in took}, {}) == {"short": 9.0, "long": 9.0}
    took = {"short": iter([0.9, 0.1, 0.1, 0.5, 0.1, 0.1]), "long": iter([0.2, 0.3, 0.2, 0.2, 0.2, 0.2])}
    found = in_turns({name: lambda name=name: next(took[name]) for name in took}, {"short": 0.7})
    assert found == {"short": pytest.approx(0.1), "long": pytest.approx(0.2)}


@pytest.mark.parametrize("name", ["mtt", "tesla", "datm", "ast"])
@pytest.mark.parametrize("inner_steps", [4, 50])
def test_a_line_through_two_numbers_of_inner_steps(monkeypatch, name, inner_steps):
    """With a clock that gives a step 2 + 3 n seconds, N steps take 2 + 3 N."""
    method = METHODS.get(name)(**TRAJECTORY, inner_steps=inner_steps, expert_epochs=2)
    seen = []

    def clocked(job, device):
        job()
        return 2.0 + 3.0 * seen[-1]

    step = time_distillation.OuterState.step

    def noted(self, at):
        seen.append(self.method.inner_steps)
        return step(self, at)

    monkeypatch.setattr(time_distillation.OuterState, "step", noted)
    monkeypatch.setattr(time_distillation, "seconds", clocked)
    assert outer_step_seconds(method, 2, STAGE) == pytest.approx(2.0 + 3.0 * inner_steps)
    assert set(seen) == ({1, 2} if method.match.kind == "final" else {2, 4})


def test_what_takes_little_is_timed_whole(monkeypatch):
    method, seen = METHODS.get("mtt")(**TRAJECTORY, inner_steps=7), []
    step = time_distillation.OuterState.step
    monkeypatch.setattr(
        time_distillation.OuterState, "step", lambda self, at: (seen.append(self.method.inner_steps), step(self, at))[1]
    )
    monkeypatch.setattr(time_distillation, "seconds", lambda job, device: (job(), 0.01)[1])
    assert outer_step_seconds(method, 1, STAGE) == pytest.approx(0.01)
    assert set(seen) == {1, 7}


@pytest.mark.parametrize("kind", ["sgd", "gsam", "smooth"])
def test_an_expert_is_as_many_times_what_was_timed_as_it_has_images(monkeypatch, kind):
    monkeypatch.setattr(time_training._Clock, "each", lambda self: 10.0 if len(self.times) > 2 else None)
    recipe = ExpertRecipe(optimizer=kind, batch=16, lr=1e-3)
    assert expert_seconds(recipe, 3, 16 * 100, 160, 1, STAGE) == pytest.approx(3 * 10.0 * 100 / 8)
    assert expert_seconds(recipe, 3, 16, 0, 1, STAGE) == pytest.approx(3 * 10.0), "no more batches than there are"


@pytest.mark.parametrize("name", ["dsa-v1", "infer-static-v1"])
def test_an_evaluation_is_as_many_times_what_was_timed_as_it_sees_images(monkeypatch, name):
    monkeypatch.setattr(time_training._Clock, "each", lambda self: 10.0 if len(self.times) > 2 else None)
    monkeypatch.setattr(time_training, "_test_seconds", lambda images, stage: 0.25)
    chosen = protocol(name)
    about = EvaluationContext(dataset="tiny", network=STAGE.network, batch_norm=False, ipc=2, classes=3, size=8)
    found = evaluation_seconds(chosen, chosen.resolve(about), 6, 600, 9, 1, STAGE)
    assert found == pytest.approx(10.0 * 600 / 6 + 0.25)


def test_the_plan_with_time(ddbench, tmp_path):
    asked = ("plan", written(tmp_path), "--home", tmp_path / "home", "--time")
    found = json.loads(ddbench.done(*asked, "--format", "json"))
    (buffer,), (random, mtt), (network,) = found["buffers"], found["sets"][:2], found["networks"]
    assert buffer["seconds"] > 0 and mtt["seconds"] > 0 and network["seconds"] > 0
    assert "seconds" not in random
    assert not (tmp_path / "home" / "runs").exists() and not (tmp_path / "home" / "buffers").exists()
    assert " time" in ddbench.done(*asked)


def test_what_is_there_takes_no_time(ddbench, recipe, finished_home):
    found = json.loads(ddbench.done("plan", recipe, "--home", finished_home, "--time", "--format", "json"))
    assert found["buffers"][0]["seconds"] == 0 and found["sets"][1]["seconds"] == 0


def test_without_it_nothing_is_tried(ddbench, tmp_path, monkeypatch):
    monkeypatch.setattr(time_distillation, "seconds", None)
    recipe = written(tmp_path, RECIPE)
    assert "seconds" not in ddbench.done("plan", recipe, "--home", tmp_path / "home", "--format", "json")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dm", {"real_batches": {"per_class": 4}}),
        ("dsa", {"real_batches": {"per_class": 4}, "image_steps": 2, "inner_epochs": 1}),
        ("rat-bptt", {"total_steps": 4, "window": 2, "real_batches": {"images": 8}}),
    ],
)
def test_whole_outer_steps_are_timed_where_they_are_not_made_of_equal_ones(monkeypatch, name, settings):
    """Steps of 3, 1 and 2 seconds: the first does not count, and with the third five seconds are over."""
    clock, seen = iter([3.0, 1.0, 2.0, 1.0, 7.0]), []
    step = time_distillation.OuterState.step
    monkeypatch.setattr(
        time_distillation.OuterState, "step", lambda self, at: (seen.append(at.number), step(self, at))[1]
    )
    monkeypatch.setattr(time_distillation, "seconds", lambda job, device: (job(), next(clock))[1])
    method = METHODS.get(name)(**settings, iterations=5).for_ipc(1)
    assert outer_step_seconds(method, 1, STAGE, images=30) == pytest.approx(1.5)
    assert seen == [0, 1, 2]
