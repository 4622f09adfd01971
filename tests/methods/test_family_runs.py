"""Whole runs of the methods of trajectory matching: averages, learned labels, and interruptions, to the bit."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task
from helpers.trained_task import EPOCHS, trained_task

from ddbench import artifact
from ddbench.distillation.guard import Guard
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.run_dir import Run
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.methods.class_matching import ClassMatching
from ddbench.methods.coresets.random_images import RandomImages
from ddbench.methods.coresets.random_soft import RandomSoft
from ddbench.methods.datm import DATM
from ddbench.methods.ftd import FTD
from ddbench.methods.mtt import MTT
from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.synthetic.synthetic_set import load_synthetic

NEEDED = {"inner_steps": 4, "max_start_epoch": 3, "image_lr": 5.0, "student_lr": 0.05}


def run_of(method, folder, task=None, **compute):
    return optimize(method, under(task or tiny_task(), **compute), 2, folder, seed=3)


class TestAverage:
    def test_is_the_closed_form_of_the_images_after_each_step(self, tmp_path):
        decay = 0.7
        run_of(FTD(**NEEDED, iterations=5, keep_every=1, ema_decay=decay), tmp_path)
        run = Run(tmp_path)
        images = [
            load_synthetic(run.start).images,
            *(load_synthetic(run.plain_candidate(k)).images for k in range(1, 6)),
        ]
        want = decay**5 * images[0] + sum((1 - decay) * decay ** (5 - k) * images[k] for k in range(1, 6))
        assert torch.allclose(load_synthetic(run.candidate(5)).images, want, atol=1e-6)
        assert not torch.allclose(images[5], want, atol=1e-3)

    def test_without_a_decay_there_is_one_line_of_candidates(self, tmp_path):
        run_of(MTT(**NEEDED, iterations=2), tmp_path)
        assert not Run(tmp_path).plain.exists()

    def test_a_step_that_is_not_taken_moves_no_average(self, tmp_path):
        """The first step is taken, the others refused: one step's closed form is left, whatever comes after."""

        class RefuseLater(Guard):
            seen: ClassVar[list[float]] = []

            def refuses(self, loss, gradients):
                self.seen.append(loss.item())
                return "above threshold" if len(self.seen) > 1 else None

        run_of(FTD(**NEEDED, iterations=4, keep_every=1, ema_decay=0.7, guard=RefuseLater()), tmp_path)
        run = Run(tmp_path)
        start, moved = load_synthetic(run.start).images, load_synthetic(run.plain_candidate(4)).images
        assert len(RefuseLater.seen) == 4 and not torch.equal(start, moved)
        assert torch.allclose(load_synthetic(run.candidate(4)).images, 0.7 * start + 0.3 * moved, atol=1e-6)


class TestLearnedLabels:
    def test_are_sgd_with_their_own_rate_and_momentum(self, tmp_path):
        method = DATM(**NEEDED, iterations=3, keep_every=3, guard={}, labels={"kind": "learned", "lr": 3.0})
        run_of(method, tmp_path)
        task, run = tiny_task(), Run(tmp_path)
        start = load_synthetic(run.start)
        leaves = {name: start.tensors()[name].clone().requires_grad_() for name in ("images", "student_lr", "labels")}
        optimizer = torch.optim.SGD(
            [
                {"params": [leaves["images"]], "lr": 5.0, "momentum": 0.5},
                {"params": [leaves["student_lr"]], "lr": 1e-5, "momentum": 0.5},
                {"params": [leaves["labels"]], "lr": 3.0, "momentum": 0.9},
            ]
        )
        for step in range(3):
            optimizer.zero_grad()
            method.outer_loss(replace(start, **leaves), task, at(step, 3))[0].backward()
            optimizer.step()
        last = load_synthetic(run.candidate(3))
        assert torch.allclose(last.labels, leaves["labels"], atol=1e-6)
        assert torch.allclose(last.images, leaves["images"], atol=1e-6)
        assert (last.labels - start.labels).abs().max() > 1e-4 and last.label_kind == "logits"


OPTIMISED = [name for name in METHODS.names() if issubclass(METHODS.get(name), OptimizedMethod)]


def test_the_family_is_registered():
    assert {"mtt", "ftd", "tesla", "datm", "ast", "dc", "dsa", "dm", "rat-bptt"} <= set(OPTIMISED)


@pytest.mark.parametrize("name", OPTIMISED)
def test_interrupted_anywhere_and_resumed_a_run_ends_with_the_same_bits(name, tmp_path):
    kind = METHODS.get(name)
    if issubclass(kind, ClassMatching):  # interrupted under a network that is drawn, and under one that was trained
        given = {"image_steps": 1 if name == "dm" else 3, "inner_epochs": 2, "inner_batch": 4}
    elif issubclass(kind, TrajectoryMatching):
        given = {**NEEDED, **({"growth": {"first": 1, "steps": 4}, "labels": "target"} if name == "tesla" else {})}
    elif name == "rat-bptt":  # several epochs of the real images, and a second part that is learned
        given = {"total_steps": 5, "window": 2, "labels": "one-hot", "real_batches": {"images": 25}}
    else:
        pytest.fail(f"{name}: say here how it is resumed")
    method = kind(iterations=6, keep_every=2, **given)
    run_of(method, tmp_path / "whole")
    for step in (1, 3, 4):
        with pytest.raises(KeyboardInterrupt):
            run_of(method, tmp_path / "broken", progress=StopAt(step), checkpoint_seconds=0)
        there = Run(tmp_path / "broken").state
        assert (artifact.describe(there)["step"] if there.exists() else 0) == step - 1
    run_of(method, tmp_path / "broken")
    for folder in ("candidates", "candidates-plain"):
        names = sorted(path.name for path in (tmp_path / "whole" / folder).glob("*"))
        assert bool(names) == (folder == "candidates" or name in ("ftd", "att"))
        for file in names:
            want, got = (load_synthetic(tmp_path / home / folder / file).tensors() for home in ("whole", "broken"))
            assert want.keys() == got.keys() and all(torch.equal(want[key], got[key]) for key in want), file


def test_experts_are_asked_about_images_once_however_often_a_run_is_resumed(tmp_path):
    task = trained_task(tmp_path / "experts", network="convnet-d1-w4-bn")
    method, asked = DATM(**{**NEEDED, "max_start_epoch": 2}, iterations=3), []
    statistics = task.experts.statistics  # read only where an expert judges
    task.experts.statistics = lambda *key: asked.append(key) or statistics(*key)
    with pytest.raises(KeyboardInterrupt):
        run_of(method, tmp_path / "run", task, progress=StopAt(1))
    assert {expert for expert, _ in asked} == {0, 1, 2}
    asked.clear()
    run_of(method, tmp_path / "run", task)
    assert asked == []


def test_another_experts_set_of_step_0_is_not_taken(tmp_path):
    run_of(DATM(**NEEDED, iterations=1), tmp_path)
    Run(tmp_path).state.unlink()
    with pytest.raises(UserError, match="made with another image_lr"):
        run_of(DATM(**{**NEEDED, "image_lr": 7.0}, iterations=1), tmp_path)


def test_random_soft_labels_the_images_of_random(tmp_path):
    task = trained_task(tmp_path)
    hard, soft = RandomImages().distill(task, 4, at()), RandomSoft(label_expert_epoch=EPOCHS).distill(task, 4, at())
    assert torch.equal(hard.images, soft.images) and soft.label_kind == "logits"
    assert (soft.labels.argmax(1) == hard.labels).float().mean() > 0.6


def test_ftd_keeps_the_plain_images_with_their_average(tmp_path):
    run_of(FTD(**NEEDED, iterations=3, keep_every=3, compat=True), tmp_path)
    run = Run(tmp_path)
    averaged, plain = load_synthetic(run.candidate(3)), load_synthetic(run.plain_candidate(3))
    assert torch.equal(averaged.warm_images, plain.images) and not torch.equal(averaged.images, plain.images)
    assert averaged.bytes["warm_images"] == averaged.bytes["images"] and plain.warm_images is None
