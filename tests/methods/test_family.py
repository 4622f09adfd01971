"""The methods of trajectory matching as choices of parts: their gradients, their quirks, any part with any other."""

import itertools
from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.double_gradients import double_task, gradients, worst

from ddbench.errors import UserError
from ddbench.methods.ast import AST
from ddbench.methods.att import ATT
from ddbench.methods.datm import DATM
from ddbench.methods.ftd import FTD
from ddbench.methods.mtt import MTT
from ddbench.methods.pad import PAD
from ddbench.methods.tesla import TESLA

DEEP = {"kind": "closest", "keep": {"by": "depth", "drop": 0.5}}
NEEDED = {"inner_steps": 4, "max_start_epoch": 3, "image_lr": 5.0, "student_lr": 0.05}
FAMILY = [MTT, FTD, TESLA, DATM, AST, ATT, PAD]


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
        syn = method.initialize(tiny_task(), 2, at())
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
            from ddbench.methods.parts.ast_student import balance

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
            "ATT": "adjoint", "PAD": "adjoint",
        }  # fmt: skip
        assert [method.labels.kind for method in kinds.values()] == [
            "hard",
            "hard",
            "hard",
            "learned",
            "hard",
            "hard",
            "learned",
        ]
        assert [method.init.kind for method in kinds.values()] == [
            "real",
            "real",
            "real",
            "correct",
            "representative",
            "real",
            "correct",
        ]
        assert [method.match.kind for method in kinds.values()] == ["final"] * 4 + ["intermediate", "closest", "final"]
        assert [method.student_momentum for method in kinds.values()] == [0, 0, 0, 0, 0.9, 0, 0]
        assert [method.guard.threshold for method in kinds.values()] == [None, None, None, 1.0, None, None, 1.0]
        assert [method.ema_decay for method in kinds.values()] == [None, 0.999, None, None, None, 0.999, None]
        assert [kind.EXPERTS.get("optimizer", "sgd") for kind in FAMILY] == [
            "sgd", "gsam", "sgd", "gsam", "smooth", "sgd", "gsam",
        ]  # fmt: skip

    def test_every_pair_of_parts_works_or_says_why_not(self):
        """A bare name for each part, in any combination, for every member."""
        task, refused = tiny_task(), set()
        pixels, labels = ["real", "noise", "correct", "representative"], ["hard", "target", "learned", "static"]
        matches, unrolls = (
            ["final", "intermediate", "closest", DEEP],
            ["adjoint", "full", "tesla", {"kind": "truncated", "last": 2}],
        )
        for chosen in itertools.product(pixels, labels, matches, unrolls):
            names = dict(zip(("init", "labels", "match", "unroll"), chosen, strict=True))
            try:
                method = MTT(**NEEDED, **names)
            except ValueError as error:
                assert "noise shows nothing" in str(error)
                refused.add(chosen[:2])
                continue
            syn = method.initialize(task, 1, at())
            leaves = {name: syn.tensors()[name].clone().requires_grad_() for name in method.outer_rates()}
            loss, _ = method.outer_loss(replace(syn, **leaves), task, at(1))
            assert all(g.isfinite().all() for g in torch.autograd.grad(loss, list(leaves.values()))), names
        assert refused == {("noise", "learned"), ("noise", "static")}

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"init": "noise", "labels": "learned"}, "noise shows nothing"),
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
        assert DATM(**{**NEEDED, "max_start_epoch": 4}, label_expert_epoch=100).needed_epochs() == 100

    @pytest.mark.parametrize(
        ("settings", "epochs"),
        [
            ({}, 4),
            ({"labels": {"kind": "target", "keep": "last"}}, 4),
            ({"labels": "target"}, 100),
            ({"labels": "static"}, 100),
            ({"init": "representative"}, 100),
        ],
    )
    def test_a_label_expert_epoch_counts_only_where_a_teacher_is_asked(self, settings, epochs):
        assert MTT(**NEEDED, **settings, label_expert_epoch=100).needed_epochs() == epochs

    def test_an_ipc_that_does_not_suit_the_pixels_is_refused_before_anything_is_trained(self):
        with pytest.raises(UserError, match="10 clusters do not share out 15 images"):
            AST(**NEEDED, compat=True).validate_ipc(15)
        AST(**NEEDED, compat=True).validate_ipc(20)
        AST(**NEEDED).validate_ipc(15)

    @pytest.mark.parametrize("kind", FAMILY)
    def test_soft_labels_are_told_of(self, kind):
        assert kind(**NEEDED).soft_labels() == (kind in (DATM, PAD))
        assert all(kind(**NEEDED, labels=soft).soft_labels() for soft in ("learned", "static", "target"))


class TestCompat:
    def test_tesla_loses_half_of_the_pixels_gradient(self):
        plain, quirk = TESLA(**NEEDED).outer_rates(), TESLA(**NEEDED, compat=True).outer_rates()
        assert quirk["images"].lr == plain["images"].lr / 2 and quirk["student_lr"] == plain["student_lr"]

    def test_ast_takes_ten_clusters(self):
        assert AST(**NEEDED, compat=True).init.clusters == 10 and AST(**NEEDED).init.clusters is None
        assert AST(**NEEDED, compat=True, init="real").init.kind == "real"

    @pytest.mark.parametrize("said", [1, "true", "yes"])
    def test_compat_is_true_or_false_and_nothing_like_it(self, said):
        with pytest.raises(ValueError, match="valid boolean"):
            TESLA(**NEEDED, compat=said)

    def test_mtt_has_no_quirks_to_ask_for(self):
        with pytest.raises(ValueError, match="compat"):
            MTT(**NEEDED, compat=True)
