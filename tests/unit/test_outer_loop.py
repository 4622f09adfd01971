"""The outer loop: plain SGD with momentum, resumed to the bit, guarded, and honest about what it skipped."""

import json
from dataclasses import replace

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task
from torch import Tensor

from ddbench import artifact
from ddbench.distillation.guard import Guard
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.outer_optimizer import SGD
from ddbench.distillation.run_dir import Run
from ddbench.errors import UserError
from ddbench.methods.mtt import MTT
from ddbench.runtime.progress import Silent
from ddbench.synthetic.synthetic_set import load_synthetic

SETTINGS = {"inner_steps": 2, "max_start_epoch": 4, "image_lr": 5.0, "student_lr": 0.05, "student_lr_lr": 1e-4}


class Bowl(OptimizedMethod):
    """A quadratic bowl around noise that each step draws anew: its path is computed by hand in the test."""

    bad_steps: tuple[int, ...] = ()
    value: float = float(1)

    def initialize(self, task, ipc, at):
        images = torch.zeros(task.real.classes * ipc, 1, 8, 8)
        labels = torch.arange(task.real.classes).repeat_interleave(ipc)
        return task.synthetic(images, labels, ipc=ipc, student_lr=torch.tensor(0.1))

    def outer_rates(self):
        return {"images": SGD(lr=0.1, momentum=0.5), "student_lr": SGD(lr=0.1, momentum=0.5)}

    def outer_loss(self, syn, task, at) -> tuple[Tensor, dict[str, float]]:
        noise = torch.randn(syn.images.shape, generator=at.stream("noise"))
        loss = (syn.images - noise).square().sum() + self.value * syn.student_lr
        return (loss * torch.nan if at.number in self.bad_steps else loss), {"step": at.number}


def run(method, folder, **more):
    return optimize(method, under(tiny_task(), **more), 1, folder, seed=3)


def test_is_torch_sgd_on_the_loss(tmp_path):
    method = Bowl(iterations=7, keep_every=7, value=0.0)
    (last,) = run(method, tmp_path)
    task = tiny_task()
    x = torch.zeros(3, 1, 8, 8, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=0.1, momentum=0.5)
    for step in range(7):
        optimizer.zero_grad()
        syn = replace(method.initialize(task, 1, at()), images=x)
        method.outer_loss(syn, task, at(step, 3))[0].backward()
        optimizer.step()
    assert torch.equal(load_synthetic(last).images, x.detach()) and x.abs().max() > 0


@pytest.mark.parametrize("stop", [1, 4, 9])
@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_resumed_is_not_interrupted_to_the_bit(tmp_path, stop, seconds):
    method = MTT(**SETTINGS, iterations=10, batch_syn=2)
    whole = run(method, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(method, tmp_path / "parts", progress=StopAt(stop), checkpoint_seconds=seconds)
    parts = run(method, tmp_path / "parts")
    assert [path.name for path in parts] == [path.name for path in whole]
    for one, two in zip(whole, parts, strict=True):
        assert artifact.describe(one)["sha256"] == artifact.describe(two)["sha256"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts" / "events.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 11))


def test_a_process_that_dies_without_a_word_loses_only_what_follows_its_checkpoint(tmp_path, monkeypatch):
    method = MTT(**SETTINGS, iterations=10)
    whole = run(method, tmp_path / "whole")

    class Killed(BaseException):
        pass

    class DieAt(Silent):
        def update(self, done, **facts):
            if done == 8:
                monkeypatch.setattr(
                    "ddbench.distillation.outer_state.OuterState.save", lambda *_: None
                )  # no last words
                raise Killed

    with pytest.raises(Killed):
        run(method, tmp_path / "parts", progress=DieAt(), checkpoint_seconds=0.0)
    with (tmp_path / "parts" / "events.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')  # a line that was being written
    monkeypatch.undo()
    assert artifact.describe(Run(tmp_path / "parts").state)["step"] == 7
    parts = run(method, tmp_path / "parts")
    assert artifact.describe(parts[-1])["sha256"] == artifact.describe(whole[-1])["sha256"]


def test_candidates_are_kept_as_often_as_asked(tmp_path):
    def names(**settings):
        folder = tmp_path / str(settings)
        return [int(path.stem) for path in run(Bowl(**settings), folder)]

    assert names(iterations=7, keep_every=3) == [3, 6, 7]
    assert names(iterations=20) == list(range(2, 21, 2))


def test_non_finite_steps_are_skipped_counted_and_change_nothing(tmp_path):
    (path,) = run(Bowl(iterations=5, keep_every=5, bad_steps=(1, 3), value=0.0), tmp_path / "bad")
    syn = load_synthetic(path)
    assert syn.provenance["guard"] == {"non-finite": 2}
    assert syn.images.isfinite().all() and syn.images.abs().max() > 0
    events = [
        json.loads(line) for line in (tmp_path / "bad" / "events.jsonl").read_text().splitlines() if "NaN" not in line
    ]
    assert [event["step"] for event in events if event["refused"] is None] == [1, 3, 5]


def test_threshold_skips_steps_above_it(tmp_path):
    (path,) = run(Bowl(iterations=3, keep_every=3, guard=Guard(threshold=1e-9)), tmp_path)
    syn = load_synthetic(path)
    assert syn.provenance["guard"] == {"above threshold": 3} and not syn.images.any()


def test_the_students_rate_is_kept_positive(tmp_path):
    (path,) = run(Bowl(iterations=6, keep_every=6, guard=Guard(min_student_lr=1e-3)), tmp_path)
    syn = load_synthetic(path)
    assert syn.student_lr.item() == pytest.approx(1e-3)
    assert syn.provenance["guard"]["student_lr at its floor"] >= 4


def test_a_run_that_can_not_recover_says_what_to_change_and_keeps_its_state(tmp_path):
    method = Bowl(iterations=99, bad_steps=tuple(range(3, 99)), guard=Guard(patience=4), value=0.0)
    with pytest.raises(UserError, match="acted on 4 outer steps in a row, up to step 7") as caught:
        run(method, tmp_path)
    assert "last  non-finite" in str(caught.value) and "lower image_lr" in caught.value.fix
    tensors, document = artifact.load(Run(tmp_path).state, "distillation state")
    assert document["step"] == 7 and tensors["images"].isfinite().all() and tensors["images"].any()


def test_cost_is_recorded(tmp_path):
    facts = load_synthetic(run(Bowl(iterations=2, keep_every=2), tmp_path)[0]).provenance
    assert facts["seconds"] > 0 and facts["peak_bytes"] > 10**6 and facts["step"] == 2


class Cliff(Bowl):
    """A bowl whose step 3 throws the images off a cliff, from where no loss is finite: the step must be taken back."""

    def outer_loss(self, syn, task, at):
        loss, facts = super().outer_loss(syn, task, at)
        push = 1e30 * syn.images.sum() if at.number == 3 else 0.0
        return loss + push, facts


def test_a_step_that_ruins_the_set_is_taken_back(tmp_path):
    (path,) = run(Cliff(iterations=9, keep_every=9, value=0.0), tmp_path / "cliff")
    syn = load_synthetic(path)
    assert syn.provenance["guard"] == {"non-finite": 1}
    assert syn.images.abs().max() < 10 and syn.images.abs().max() > 0


def test_taking_back_survives_an_interruption_to_the_bit(tmp_path):
    method = Cliff(iterations=9, keep_every=9, value=0.0)
    whole = run(method, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(method, tmp_path / "parts", progress=StopAt(5), checkpoint_seconds=0.0)  # right after the fall
    parts = run(method, tmp_path / "parts")
    assert artifact.describe(parts[-1])["sha256"] == artifact.describe(whole[-1])["sha256"]


@pytest.mark.parametrize(
    ("changed", "word"), [({"iterations": 12}, "iterations"), ({"value": 0.5}, "value"), ({"seed": 4}, "seed")]
)
def test_another_run_in_the_same_folder_is_refused(tmp_path, changed, word):
    run(Bowl(iterations=4), tmp_path)
    seed, settings = changed.get("seed", 3), {k: v for k, v in changed.items() if k != "seed"}
    with pytest.raises(UserError, match=f"was made with another {word}"):
        optimize(Bowl(**{"iterations": 4, **settings}), tiny_task(), 1, tmp_path, seed=seed)


def test_a_run_of_other_images_is_refused(tmp_path):
    run(Bowl(iterations=4), tmp_path)
    other = replace(tiny_task(), origin={"real images": "others"})
    with pytest.raises(UserError, match="was made with another real images"):
        optimize(Bowl(iterations=4), other, 1, tmp_path, seed=3)
