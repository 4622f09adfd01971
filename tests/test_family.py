"""The methods of trajectory matching as choices of parts: their gradients, their quirks, any part with any other."""

import itertools
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from distillation_makers import DrawnExperts, at, tiny_task
from test_outer_loop import StopAt
from trained_task import EPOCHS, trained_task

from ddbench import artefact
from ddbench.errors import UserError
from ddbench.guard import Guard
from ddbench.method import OptimisedMethod
from ddbench.methods import METHODS
from ddbench.methods.ast import AST
from ddbench.methods.datm import DATM
from ddbench.methods.ftd import FTD
from ddbench.methods.mtt import MTT
from ddbench.methods.random_images import RandomImages
from ddbench.methods.random_soft import RandomSoft
from ddbench.methods.tesla import TESLA
from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.outer_loop import optimise
from ddbench.run_folder import Run
from ddbench.synthetic import load_synthetic

NEEDED = {"inner_steps": 4, "max_start_epoch": 3, "image_lr": 5.0, "student_lr": 0.05}
FAMILY = [MTT, FTD, TESLA, DATM, AST]


def double_task():
    """A task in float64, so that gradients can be compared to the last digits."""
    task = tiny_task()
    experts = DrawnExperts(task.network.size)
    experts.rows = experts.rows.double()
    return replace(task, network=task.network.to(torch.float64), experts=experts)


def gradients(method, task, step=3):
    """The outer loss and its gradient by everything that is learned, in float64."""
    syn = method.init(tiny_task(), 2, at())
    leaves = {name: syn.tensors()[name].double().requires_grad_() for name in method.outer_rates()}
    soft = {} if syn.label_kind == "hard" else {"labels": syn.labels.double()}
    loss, _ = method.outer_loss(replace(syn, **{**soft, **leaves}), task, at(step))
    return loss.item(), dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def worst(got, want):
    return max(((got[name] - want[name]).norm() / want[name].norm()).item() for name in want)


class TestGradients:
    @pytest.mark.parametrize("kind", FAMILY)
    @pytest.mark.parametrize("labels", ["hard", "learned", "static", "target"])
    @pytest.mark.parametrize("batch_syn", [None, 4])
    def test_adjoint_is_full_autograd_whatever_the_parts(self, kind, labels, batch_syn):
        asked = {**NEEDED, "labels": labels, "batch_syn": batch_syn}
        task = double_task()
        full_loss, full = gradients(kind(**asked, unroll="full"), task)
        loss, adjoint = gradients(kind(**asked, unroll="adjoint"), task)
        assert loss == pytest.approx(full_loss, rel=1e-12) and worst(adjoint, full) < 1e-10
        assert ("labels" in full) == (labels == "learned")

    @pytest.mark.parametrize("labels", ["hard", "learned"])
    @pytest.mark.parametrize("augmentation", ["none", "dsa"])
    def test_tesla_is_exact_for_one_step_and_not_for_more(self, labels, augmentation):
        for steps, exact in ((1, True), (6, False)):
            asked = {**NEEDED, "inner_steps": steps, "labels": labels, "augmentation": augmentation, "student_lr": 0.5}
            _, full = gradients(MTT(**asked, unroll="full"), double_task())
            _, tesla = gradients(MTT(**asked, unroll="tesla"), double_task())
            assert (worst(tesla, full) < 1e-12) == exact

    def test_tesla_by_its_own_two_passes(self):
        """The published algorithm written out: v . g_i by pixels, the rate through the sum of detached gradients."""
        task, method = double_task(), TESLA(**NEEDED, augmentation="none")
        _, got = gradients(method, task)
        span = method._span(task, at(3))
        begin, target = span.begin, span.after(2)
        syn = method.init(tiny_task(), 2, at())
        x, beta = syn.images.double().requires_grad_(), syn.student_lr.item()

        def g(theta, graph):
            leaf = theta.detach().requires_grad_()
            loss = torch.nn.functional.cross_entropy(task.network(leaf, x), syn.labels)
            return torch.autograd.grad(loss, leaf, create_graph=graph)[0]

        thetas = [begin]
        for _ in range(method.inner_steps):
            thetas.append(thetas[-1] - beta * g(thetas[-1], False))
        total = (begin - thetas[-1]) / beta
        distance = (begin - target).square().sum()
        v = beta * (target - begin) + beta**2 * total
        pixels = sum(torch.autograd.grad(v @ g(theta, True), x)[0] for theta in thetas[:-1]) * 2 / distance
        rate = -2 / distance * (begin - beta * total - target) @ total
        assert torch.allclose(got["images"], pixels, rtol=1e-9, atol=1e-14)
        assert got["student_lr"].item() == pytest.approx(rate.item(), rel=1e-9)

    def test_a_balanced_loss_is_a_larger_rate(self):
        """The factor of the student's loss scales its gradients, as its rate does."""
        task = double_task()
        asked = {**NEEDED, "max_start_epoch": 6}
        for step in range(4):
            method = MTT(**asked, balanced_loss=True)
            from ddbench.methods.parts.student import balance

            start = method._span(task, at(step)).start_epoch
            scaled = MTT(**{**asked, "student_lr": 0.05 * balance(start, 6)})
            assert gradients(method, task, step)[0] == pytest.approx(gradients(scaled, task, step)[0], rel=1e-6)

    def test_a_perturbed_start_moves_the_loss_and_only_with_its_own_draws(self):
        task = double_task()
        plain, moved = MTT(**NEEDED), MTT(**NEEDED, start_perturbation=1.0)
        assert gradients(plain, task)[0] != gradients(moved, task)[0]
        assert gradients(moved, task)[0] == gradients(moved, task)[0]


class TestChoices:
    def test_published_parts(self):
        kinds = {kind: kind(**NEEDED) for kind in FAMILY}
        assert {kind.__name__: method.unroll.kind for kind, method in kinds.items()} == {
            "MTT": "adjoint", "FTD": "adjoint", "TESLA": "tesla", "DATM": "adjoint", "AST": "adjoint",
        }  # fmt: skip
        assert [method.labels.kind for method in kinds.values()] == ["hard", "hard", "hard", "learned", "hard"]
        assert [method.pixels.kind for method in kinds.values()] == [
            "real",
            "real",
            "real",
            "correct",
            "representative",
        ]
        assert [method.match.kind for method in kinds.values()] == ["final"] * 4 + ["intermediate"]
        assert [method.student_momentum for method in kinds.values()] == [0, 0, 0, 0, 0.9]
        assert [method.guard.threshold for method in kinds.values()] == [None, None, None, 1.0, None]
        assert [method.ema_decay for method in kinds.values()] == [None, 0.999, None, None, None]
        assert [kind.EXPERTS.get("optimizer", "sgd") for kind in FAMILY] == ["sgd", "gsam", "sgd", "gsam", "smooth"]

    def test_every_pair_of_parts_works_or_says_why_not(self):
        """A bare name for each part, in any combination, for every member."""
        task, refused = tiny_task(), set()
        pixels, labels = ["real", "noise", "correct", "representative"], ["hard", "target", "learned", "static"]
        matches, unrolls = ["final", "intermediate"], ["adjoint", "full", "tesla", {"kind": "truncated", "last": 2}]
        for chosen in itertools.product(pixels, labels, matches, unrolls):
            names = dict(zip(("pixels", "labels", "match", "unroll"), chosen, strict=True))
            try:
                method = MTT(**NEEDED, **names)
            except ValueError as error:
                assert "noise shows nothing" in str(error)
                refused.add(chosen[:2])
                continue
            syn = method.init(task, 1, at())
            leaves = {name: syn.tensors()[name].clone().requires_grad_() for name in method.outer_rates()}
            loss, _ = method.outer_loss(replace(syn, **leaves), task, at(1))
            assert all(g.isfinite().all() for g in torch.autograd.grad(loss, list(leaves.values()))), names
        assert refused == {("noise", "learned"), ("noise", "static")}

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"pixels": "noise", "labels": "learned"}, "noise shows nothing"),
            ({"match": "intermediate", "expert_epochs": 1}, "needs expert_epochs of 2 or more"),
            ({"match": "intermediate", "expert_epochs": 5}, "at least as many inner_steps"),
            ({"growth": {"first": 9, "steps": 10}}, "window of start epochs would be empty"),
            ({"growth": {"first": 1, "steps": 10}, "min_start_epoch": 1}, "window of start epochs would be empty"),
            ({"keep_warm_images": True}, "set ema_decay as well"),
            ({"ema_decay": 1.0}, "less than 1"),
            ({"labels": {"kind": "hard", "lr": 1}}, "lr"),
        ],
    )
    def test_what_makes_no_sense_is_said_in_one_sentence(self, settings, says):
        with pytest.raises(ValueError, match=says):
            MTT(**{**NEEDED, **settings})

    def test_experts_are_as_long_as_teachers_need(self):
        assert DATM(**{**NEEDED, "max_start_epoch": 4}).needed_epochs() == 5
        assert DATM(**{**NEEDED, "max_start_epoch": 4}, teacher_epoch=100).needed_epochs() == 100

    @pytest.mark.parametrize(
        ("settings", "epochs"),
        [
            ({}, 4),
            ({"labels": {"kind": "target", "keep": "last"}}, 4),
            ({"labels": "target"}, 100),
            ({"labels": "static"}, 100),
            ({"pixels": "representative"}, 100),
        ],
    )
    def test_a_teacher_epoch_counts_only_where_a_teacher_is_asked(self, settings, epochs):
        assert MTT(**NEEDED, **settings, teacher_epoch=100).needed_epochs() == epochs

    def test_an_ipc_that_does_not_suit_the_pixels_is_refused_before_anything_is_trained(self):
        with pytest.raises(UserError, match="10 clusters do not share out 15 images"):
            AST(**NEEDED, compat=True).refuse(15)
        AST(**NEEDED, compat=True).refuse(20)
        AST(**NEEDED).refuse(15)

    @pytest.mark.parametrize("kind", FAMILY)
    def test_soft_labels_are_told_of(self, kind):
        assert kind(**NEEDED).soft_labels() == (kind is DATM)
        assert all(kind(**NEEDED, labels=soft).soft_labels() for soft in ("learned", "static", "target"))


class TestCompat:
    def test_tesla_loses_half_of_the_pixels_gradient(self):
        plain, quirk = TESLA(**NEEDED).outer_rates(), TESLA(**NEEDED, compat=True).outer_rates()
        assert quirk["images"].lr == plain["images"].lr / 2 and quirk["student_lr"] == plain["student_lr"]

    def test_ast_takes_ten_clusters(self):
        assert AST(**NEEDED, compat=True).pixels.clusters == 10 and AST(**NEEDED).pixels.clusters is None
        assert AST(**NEEDED, compat=True, pixels="real").pixels.kind == "real"

    def test_ftd_keeps_the_plain_images_with_their_average(self, tmp_path):
        run_of(FTD(**NEEDED, iterations=3, keep_every=3, compat=True), tmp_path)
        run = Run(tmp_path)
        averaged, plain = load_synthetic(run.candidate(3)), load_synthetic(run.plain_candidate(3))
        assert torch.equal(averaged.warm_images, plain.images) and not torch.equal(averaged.images, plain.images)
        assert averaged.bytes["warm_images"] == averaged.bytes["images"] and plain.warm_images is None

    @pytest.mark.parametrize("said", [1, "true", "yes"])
    def test_compat_is_true_or_false_and_nothing_like_it(self, said):
        with pytest.raises(ValueError, match="valid boolean"):
            TESLA(**NEEDED, compat=said)

    def test_mtt_has_no_quirks_to_ask_for(self):
        with pytest.raises(ValueError, match="compat"):
            MTT(**NEEDED, compat=True)


def run_of(method, folder, task=None, **more):
    return optimise(method, task or tiny_task(), 2, folder, seed=3, **more)


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


OPTIMISED = [name for name in METHODS.names() if issubclass(METHODS.get(name), OptimisedMethod)]


def test_the_family_is_registered():
    assert {"mtt", "ftd", "tesla", "datm", "ast"} <= set(OPTIMISED)


@pytest.mark.parametrize("name", OPTIMISED)
def test_interrupted_anywhere_and_resumed_a_run_ends_with_the_same_bits(name, tmp_path):
    kind = METHODS.get(name)
    if not issubclass(kind, TrajectoryMatching):
        pytest.fail(f"{name}: say here how it is resumed")
    more = {"growth": {"first": 1, "steps": 4}, "labels": "target"} if name == "tesla" else {}
    method = kind(**NEEDED, iterations=6, keep_every=2, **more)
    run_of(method, tmp_path / "whole")
    for step in (1, 3, 4):
        with pytest.raises(KeyboardInterrupt):
            run_of(method, tmp_path / "broken", progress=StopAt(step), checkpoint_seconds=0)
        there = Run(tmp_path / "broken").state
        assert (artefact.describe(there)["step"] if there.exists() else 0) == step - 1
    run_of(method, tmp_path / "broken")
    for folder in ("candidates", "candidates-plain"):
        names = sorted(path.name for path in (tmp_path / "whole" / folder).glob("*"))
        assert bool(names) == (folder == "candidates" or name == "ftd")
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
    hard, soft = RandomImages().distill(task, 4, at()), RandomSoft(teacher_epoch=EPOCHS).distill(task, 4, at())
    assert torch.equal(hard.images, soft.images) and soft.label_kind == "logits"
    assert (soft.labels.argmax(1) == hard.labels).float().mean() > 0.6
