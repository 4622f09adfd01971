"""RaT-BPTT: the loss of a random run, its gradient through a window, batches by class, settings, memory."""

import json
import re
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.trained_task import planted_real
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ddbench.commands import main
from ddbench.distillation.outer_loop import optimize
from ddbench.errors import UserError
from ddbench.estimates.model_size import Sizes
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.formats.export import as_logits
from ddbench.methods import RaTBPTT
from ddbench.methods.parts.real_batches import EpochBatches
from ddbench.networks import ImageShape, build_network
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.jobs import jobs_of
from ddbench.pipeline.pipeline import Pipeline
from ddbench.randomness import derive
from ddbench.recipe.recipe import load_recipe
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.class_rows import class_rows
from ddbench.unroll.compiled_step import GradientKernel

F64 = torch.float64
SHORT = {"total_steps": 6, "window": 2}


def gradients(step=3, ipc=2, compile="off", **changes):
    """Loss, start and float64 gradients by images, and labels where they are learned, of one outer step."""
    task = tiny_task(experts=False, dtype=F64, mirror=True, compile=compile)
    method = RaTBPTT(**{**SHORT, **changes})
    syn = method.initialize(task, ipc, at())
    names = list(method.outer_rates())
    leaves = {name: syn.tensors()[name].double().requires_grad_() for name in names}
    loss, facts = method.outer_loss(replace(syn, **leaves), task, at(step))
    return loss.item(), facts["start"], torch.autograd.grad(loss, list(leaves.values()))


def apart(got, want):
    return max(((g - w).norm() / w.norm()).item() for g, w in zip(got, want, strict=True))


CASES = {
    "plain": {"augmentation": "none"},
    "augmented": {},
    "labels": {"labels": "one-hot"},
    "some": {"classes_per_step": 2, "images_per_class": 1, "labels": "one-hot"},
    "sgd": {"inner": "sgd"},
    "parts": {"real_at_once": 7},
}


class TestGradient:
    @pytest.mark.parametrize("case", CASES)
    def test_all_unrolls_have_one_loss_and_the_exact_ones_one_gradient(self, case):
        loss, start, want = gradients(unroll="full", **CASES[case])
        assert start > 0
        for unroll in ("adjoint", "truncated"):
            other, _, got = gradients(unroll=unroll, **CASES[case])
            assert other == pytest.approx(loss, rel=1e-10)
            assert (apart(got, want) < 1e-6) == (unroll == "adjoint")

    def test_a_window_of_the_whole_run_is_exact(self):
        exact, whole = (gradients(window=6, unroll=unroll) for unroll in ("full", "truncated"))
        assert exact[1] == whole[1] == 0 and apart(whole[2], exact[2]) < 1e-6

    def test_the_loss_is_that_of_a_network_trained_by_torch(self):
        changes = {"augmentation": "none", "real_batches": {"images": 25}}
        loss, start, _ = gradients(**changes)
        task, method = tiny_task(experts=False, mirror=True), RaTBPTT(**SHORT, **changes)
        syn = method.initialize(task, 2, at())
        network = build_network(task.network_name, task.real.shape, seed=derive(0, "outer", 3, "network")).double()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(start + 2):
            optimizer.zero_grad()
            functional.cross_entropy(network(syn.images.double()), syn.labels).backward()
            optimizer.step()
        rows = EpochBatches(images=25).rows(60, at(3))
        real = task.real.inputs(task.real.train, rows).double()
        want = functional.cross_entropy(network(real), task.real.train.labels[rows])
        assert loss == pytest.approx(want.item(), rel=1e-6)

    def test_the_derivative_is_that_of_differences(self):
        changes = {"unroll": "adjoint", "labels": "one-hot", "inner": {"lr": 0.01}}
        task, method = tiny_task(experts=False, dtype=F64), RaTBPTT(**SHORT, **changes)
        syn = method.initialize(task, 2, at())
        labels = syn.labels.double().requires_grad_()

        def loss(labels):
            return method.outer_loss(replace(syn, images=syn.images.double(), labels=labels), task, at(3))[0]

        (derivative,) = torch.autograd.grad(loss(labels), labels)
        way = torch.randn(labels.shape, generator=torch.Generator().manual_seed(0), dtype=F64)
        difference = (loss(labels + 1e-5 * way) - loss(labels - 1e-5 * way)) / 2e-5
        assert (derivative * way).sum().item() == pytest.approx(difference.item(), rel=1e-4)

    @pytest.mark.parametrize("unroll", ["truncated", "adjoint"])
    def test_compiled_steps_have_the_same_gradient(self, unroll):
        plain = gradients(unroll=unroll, labels="one-hot")
        with patch("ddbench.distillation.task.GradientKernel", partial(GradientKernel, backend="eager")):
            compiled = gradients(unroll=unroll, labels="one-hot", compile="on")
        assert compiled[0] == pytest.approx(plain[0], rel=1e-10) and apart(compiled[2], plain[2]) < 1e-6

    def test_real_images_in_parts_are_the_same_batch(self):
        whole, parts = (gradients(real_at_once=count) for count in (60, 7))
        assert parts[0] == pytest.approx(whole[0], rel=1e-12) and apart(parts[2], whole[2]) < 1e-6
        settings = [RaTBPTT(real_at_once=count).defining_settings() for count in (None, 7)]
        assert settings[0] == settings[1]


class TestStart:
    def starts(self, **changes):
        method = RaTBPTT(total_steps=5, window=3, **changes)
        return [method.start.draw(method.min_start, 2, at(step), step // 4) for step in range(200)]

    def test_both_ends_occur_and_nothing_outside(self):
        assert {*self.starts(start={"every": "step"})} == {*self.starts()} == {0, 1, 2}
        assert {*self.starts(min_start=1)} == {1, 2} and {*self.starts(start="fixed")} == {2}

    def test_is_drawn_for_an_epoch_or_for_a_step(self):
        by_epoch = self.starts()
        assert all(by_epoch[step] == by_epoch[step - step % 4] for step in range(200))
        by_step = self.starts(start={"every": "step"})
        assert any(by_step[step] != by_step[step - step % 4] for step in range(200))

    def test_the_window_of_the_whole_run_starts_at_once(self):
        method = RaTBPTT(total_steps=5, window=5)
        assert {method.start.draw(0, 0, at(step), step) for step in range(50)} == {0}

    def test_epochs_are_passes_over_the_real_images(self):
        task, method = tiny_task(experts=False), RaTBPTT(**SHORT, real_batches={"images": 25})
        syn = method.initialize(task, 1, at())
        starts = [method.outer_loss(syn, task, at(step))[1]["start"] for step in range(12)]
        assert all(len({*starts[first : first + 3]}) == 1 for first in (0, 3, 6, 9)) and len({*starts}) > 1


class TestBatches:
    @given(
        classes=st.integers(1, 5),
        ipc=st.integers(1, 6),
        at_once=st.none() | st.integers(1, 6),
        of_each=st.none() | st.integers(1, 7),
        seed=st.integers(0, 99),
    )
    @settings(deadline=None, max_examples=60)
    def test_so_many_of_each_of_so_many_classes(self, classes, ipc, at_once, of_each, seed):
        labels = torch.arange(classes).repeat_interleave(ipc)
        rows = class_rows(labels, classes, torch.Generator().manual_seed(seed), at_once=at_once, of_each=of_each)
        number, each = min(at_once or classes, classes), min(of_each or ipc, ipc)
        if number == classes and each == ipc:
            assert rows is None
            return
        assert rows.tolist() == sorted({*rows.tolist()}) and len(rows) == number * each
        counts = torch.bincount(labels[rows], minlength=classes)
        assert sorted(counts.tolist()) == [0] * (classes - number) + [each] * number

    def test_a_small_class_gives_all_it_has_and_draws_are_as_likely(self):
        labels = torch.tensor([1, 0, 1, 1, 0, 2])
        generator, seen = torch.Generator().manual_seed(0), torch.zeros(6)
        for _ in range(600):
            rows = class_rows(labels, 3, generator, of_each=2)
            assert torch.bincount(labels[rows]).tolist() == [2, 2, 1]
            seen[rows] += 1
        assert seen[[1, 4, 5]].tolist() == [600] * 3 and ((seen[[0, 2, 3]] / 400 - 1).abs() < 0.1).all()

    def test_every_real_image_comes_once_an_epoch(self):
        batches = EpochBatches(images=25)
        epochs = [torch.cat([batches.rows(60, at(3 * epoch + part)) for part in range(3)]) for epoch in range(2)]
        assert all(sorted(rows.tolist()) == list(range(60)) for rows in epochs)
        assert not torch.equal(*epochs) and len(batches.rows(60, at(2))) == 10
        assert len(EpochBatches(images=100).rows(60, at(7))) == 60


class TestSet:
    def test_each_image_begins_on_the_unit_sphere(self):
        syn = RaTBPTT().initialize(tiny_task(experts=False), 3, at())
        torch.testing.assert_close(syn.images.flatten(1).norm(dim=1), torch.ones(9))

    def test_labels_begin_as_the_classes_and_never_fall_below_zero(self, tmp_path):
        method = RaTBPTT(**SHORT, labels={"kind": "one-hot", "lr": 0.1}, iterations=3, keep_every=3)
        task = tiny_task(experts=False)
        begin = method.initialize(task, 2, at())
        assert begin.label_kind == "probabilities" and begin.labels.tolist() == [
            [float(column == label) for column in range(3)] for label in (0, 0, 1, 1, 2, 2)
        ]
        (last,) = optimize(method, task, 2, tmp_path, seed=0)
        labels = load_synthetic(last).labels
        assert labels.min() == 0 and (labels > 0).sum() > 6 and (labels.sum(1) - 1).abs().max() > 1e-3

    def test_labels_that_do_not_add_up_to_1_are_exported_with_a_word(self):
        syn = RaTBPTT(labels="one-hot").initialize(tiny_task(experts=False), 1, at())
        assert as_logits(syn)[1] == (
            "the labels are probabilities: their logarithms are written, whose softmax they are",
        )
        logits, (note,) = as_logits(replace(syn, labels=2 * syn.labels + 0.5))
        assert note.startswith("the labels add up to 3.5 to 3.5 an image")
        torch.testing.assert_close(logits.softmax(1), (2 * syn.labels + 0.5) / 3.5)

    def test_outer_optimizers(self):
        rates = RaTBPTT(labels={"kind": "one-hot", "lr": 3e-4}).outer_rates()
        assert (rates["images"].lr, rates["labels"].lr) == (1e-3, 3e-4)
        assert (rates["images"].clip.factor, rates["images"].clip.decay) == (2.0, 0.9)
        assert rates["labels"].clip is None and rates["labels"].project.low == 0
        assert set(RaTBPTT().outer_rates()) == {"images"} and RaTBPTT(clip=None).outer_rates()["images"].clip is None


RECIPE = """\
dataset: digits
network: convnet-d1-w4
ipc: 1
methods:
  rat-bptt:
    total_steps: 50
    {}
"""


class TestBadSettings:
    @pytest.mark.parametrize(
        ("line", "at_line", "says"),
        [
            ("window: 51", "window", "a window of 51 steps is longer than the longest run, total_steps: 50"),
            ("iterations: 3", "rat-bptt", "a window of 60 steps is longer than the longest run, total_steps: 50"),
            ("{window: 20, min_start: 31}", "min_start", "starts after 30 of 50 at the latest, not 31"),
        ],
    )
    def test_a_window_that_does_not_fit_is_refused_where_it_stands(self, tmp_path, line, at_line, says):
        inner = "\n    ".join(part.strip() for part in line.strip("{}").split(","))
        path = tmp_path / "mine.yaml"
        path.write_text(RECIPE.format(inner))
        with pytest.raises(UserError) as caught:
            jobs_of(load_recipe(str(path)), "convnet-d1-w4", tmp_path)
        text = str(caught.value)
        number = 1 + next(n for n, row in enumerate(path.read_text().splitlines()) if at_line in row)
        assert says in text and f"mine.yaml, line {number}: methods.rat-bptt" in text and at_line in text, text


class TestMemory:
    SIZES = Sizes(parameters=320010, activations=561152, shape=ImageShape(3, 32, 10))

    def test_does_not_grow_with_the_burn_in_and_by_a_state_a_step_with_the_window(self):
        short, long, wide = (
            RaTBPTT(window=window, total_steps=total).peak_bytes(self.SIZES, 10)
            for window, total in ((60, 200), (60, 900), (61, 200))
        )
        assert short == long and wide - short == 3 * 4 * self.SIZES.parameters
        exact = RaTBPTT(unroll="adjoint").peak_bytes(self.SIZES, 10)
        assert exact - short == 140 * 3 * 4 * self.SIZES.parameters
        assert RaTBPTT(unroll="full").peak_bytes(self.SIZES, 10) > 20 * short / 3

    def test_is_below_three_gigabytes_where_the_release_takes_seventeen(self):
        assert RaTBPTT().peak_bytes(self.SIZES, 10) < 3e9
        assert RaTBPTT(real_at_once=50).peak_bytes(self.SIZES, 10) < 1e9

    def test_what_is_suggested_takes_less(self):
        method = RaTBPTT(unroll="full")
        found = method.memory_suggestions(self.SIZES, 10, 10**9)
        assert {suggestion.how.split("=")[0] for suggestion in found} == {
            "-o method.unroll",
            "-o method.real_at_once",
            "-o method.images_per_class",
        }
        assert all(suggestion.bytes < method.peak_bytes(self.SIZES, 10) for suggestion in found)


def test_a_short_run_raises_the_accuracy_of_a_student_and_repeats_to_the_bit(tmp_path):
    task = replace(tiny_task(experts=False), real=planted_real())
    method = RaTBPTT(total_steps=12, window=6, iterations=12, keep_every=12, inner={"lr": 0.02}, image_lr=0.05)
    begin = method.initialize(task, 1, at(0, 1))
    (one,), (other,) = (optimize(method, task, 1, tmp_path / name, seed=1) for name in ("one", "other"))
    found = load_synthetic(one)
    assert torch.equal(found.images, load_synthetic(other).images)

    def loss(syn):
        return sum(method.outer_loss(syn, task, at(step, 2))[0].item() for step in range(5)) / 5

    assert loss(found) < 0.8 * loss(begin)


WHOLE = """\
dataset: digits
preprocessing: kip
network: convnet-d1-w4
ipc: 1
methods:
  rat-bptt:
    iterations: 4
    keep_every: 2
    total_steps: 4
    window: 2
    labels: one-hot
    real_batches: {images: 100}
evaluation:
  protocol: rat-v1
  seeds: 2
  selection_seeds: 1
"""


class TestWholeRecipe:
    @pytest.fixture
    def recipe(self, tmp_path, monkeypatch):
        rat = PROTOCOLS["rat-v1"]
        short = replace(rat, horizons=(2, 6), setting=replace(rat.setting, epochs=6))
        monkeypatch.setattr("ddbench.evaluate.protocols.builtin.PROTOCOLS", {**PROTOCOLS, "rat-v1": short})
        path = tmp_path / "whole.yaml"
        path.write_text(WHOLE)
        return path

    @pytest.mark.parametrize(("selection", "says"), [("validation", "chosen on validation"), ("oracle", "TEST")])
    def test_a_row_says_where_set_and_steps_were_chosen(self, recipe, tmp_path, capsys, selection, says):
        command = ["run", str(recipe), "--home", str(tmp_path), "--device", "cpu", "-q", "--executor", "serial"]
        assert main([*command, "-o", f"evaluation.selection={selection}"]) == 0
        row = load_row(next(tmp_path.glob("results/digits/ipc1/*.json")))
        assert (row.method, row.protocol, row.selection, row.steps) == ("rat-bptt", "rat-v1", selection, None)
        assert re.search(rf"tested after [26] steps, .*{says}", row.note), row.note
        assert load_synthetic(next(tmp_path.glob("runs/*/synthetic.safetensors"))).preprocessing["kind"] == "kip"
        capsys.readouterr()
        assert main(["verify", str(next(tmp_path.glob("results/digits/ipc1/*.json"))), "--home", str(tmp_path)]) == 0
        assert "identical" in capsys.readouterr().out

    def test_no_images_to_choose_the_number_of_steps_on(self, recipe, tmp_path):
        changes = ["validation=0", "evaluation.selection=last"]
        with pytest.raises(UserError) as caught:
            Pipeline(load_recipe(str(recipe), changes), RunContext(tmp_path, device="cpu", quiet=True))
        assert "rat-v1 chooses the number of steps on validation" in str(caught.value)
        assert "evaluation.steps=6" in str(caught.value)
        Pipeline(load_recipe(str(recipe), [*changes, "evaluation.steps=6"]), RunContext(tmp_path, device="cpu"))

    def test_a_plan_counts_inner_steps(self, recipe, tmp_path, capsys):
        assert main(["plan", str(recipe), "--home", str(tmp_path), "--format", "json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)["sets"]
        assert {**job, "outer steps": 4, "inner steps": 12, "differentiated": 8, "unroll": "truncated"} == job
