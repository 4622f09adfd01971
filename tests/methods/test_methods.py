"""The contract that every method keeps, run over the registry; and an oracle for each part."""

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from ddbench.data.class_subset import random_rows
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.method import DirectMethod, OptimizedMethod
from ddbench.errors import UserError
from ddbench.graphs.method import GraphMethod
from ddbench.methods import METHODS
from ddbench.methods.coresets.herding import herd
from ddbench.methods.coresets.k_center import farthest_first
from ddbench.methods.mtt import MTT
from ddbench.methods.parts.expert_segment import StartWindow, draw_span, expert_of_step
from ddbench.methods.parts.matching import trajectory_matching_loss
from ddbench.testing import graph_contract, image_contract, settings_contract
from ddbench.testing.tiny_task import tiny_graph_task

SMALL = {"inner_steps": 3, "max_start_epoch": 4, "image_lr": 10.0, "student_lr": 0.05, "iterations": 2}
"""What members of the trajectory family need to be told."""


def build(name):
    kind = METHODS.get(name)
    needed = {**SMALL, "label_expert_epoch": 5}
    asked = [key for key, field in kind.model_fields.items() if field.is_required()]
    rate = {"student_lr": 0.05} if "student_lr" in kind.model_fields else {}
    return kind(**{key: needed[key] for key in asked}, **rate)


class TestEveryMethod:
    @pytest.fixture(params=METHODS.names())
    def method(self, request):
        return build(request.param)

    def test_is_frozen_and_refuses_unknown_settings(self, method):
        assert isinstance(method, OptimizedMethod | DirectMethod | JobMethod | GraphMethod)
        settings_contract.check_is_frozen(method)
        settings_contract.check_refuses_unknown_settings(method)

    def test_settings_survive_json(self, method):
        settings_contract.check_survives_json(method)


OF_IMAGES = [name for name in METHODS.names() if issubclass(METHODS.get(name), OptimizedMethod | DirectMethod)]
OF_GRAPHS = [name for name in METHODS.names() if issubclass(METHODS.get(name), GraphMethod)]


class TestContract:
    @pytest.fixture(params=OF_IMAGES)
    def method(self, request):
        return build(request.param)

    @pytest.mark.parametrize("ipc", [1, 3])
    def test_shapes_and_facts(self, method, ipc, device):
        image_contract.check_shapes_and_facts(method, ipc, device)
        syn = image_contract.first_set(method, image_contract.task_for(method, device), ipc)
        assert syn.images.shape == (3 * ipc, 1, 8, 8) and syn.images.dtype in (torch.float32, torch.uint8)

    def test_same_seed_same_bits(self, method):
        image_contract.check_same_seed_same_bits(method)
        if type(method).__name__ not in ("Herding", "KCenter"):  # these draw nothing
            task = image_contract.task_for(method)
            one, other = (image_contract.first_set(method, task, 2, seed) for seed in (0, 1))
            assert not torch.equal(one.images, other.images)

    def test_ipc_beyond_a_class_is_refused(self, method):
        image_contract.check_large_ipc_is_refused(method)

    def test_global_randomness_is_left_alone(self, method):
        image_contract.check_global_randomness(method)

    def test_outer_loss_reaches_everything_that_is_learned(self, method, device):
        if not isinstance(method, OptimizedMethod):
            return
        image_contract.check_outer_loss(method, device)
        task = tiny_task()
        syn = method.initialize(task, 2, at())
        one, other = (method.outer_loss(syn, task, at(step))[0] for step in (1, 2))
        assert not torch.equal(one, other)


@pytest.fixture(scope="module")
def graph_task():
    return tiny_graph_task()


class TestContractOnGraphs:
    @pytest.fixture(params=OF_GRAPHS)
    def method(self, request):
        return build(request.param)

    @pytest.mark.parametrize("ipc", [1, 3])
    def test_shapes_and_facts(self, method, graph_task, ipc):
        same_at_every_ipc = type(method).__name__ == "FullGraphs"
        graph_contract.check_shapes_and_facts(method, graph_task, ipc, at_most_ipc=not same_at_every_ipc)

    def test_same_seed_same_bits_and_no_global_randomness(self, method, graph_task):
        graph_contract.check_same_seed_same_bits(method, graph_task)


class TestMatchingLoss:
    def test_hand_computed(self):
        begin, end, target = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0]), torch.tensor([3.0, 4.0])
        assert trajectory_matching_loss(end, target, begin).item() == pytest.approx((4 + 9) / 25)

    @given(st.integers(0, 999))
    @settings(deadline=None, max_examples=20)
    def test_is_one_for_a_student_that_stands_still_and_zero_at_the_target(self, seed):
        begin, target = torch.randn(2, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert trajectory_matching_loss(begin, target, begin).item() == pytest.approx(1)
        assert trajectory_matching_loss(target, target, begin).item() == 0

    def test_a_rate_of_zero_gives_one(self):
        task = tiny_task()
        method = MTT(**{**SMALL, "augmentation": "none"})
        from dataclasses import replace

        syn = method.initialize(task, 1, at())
        loss, _ = method.outer_loss(replace(syn, student_lr=torch.tensor(0.0)), task, at())
        assert loss.item() == pytest.approx(1)


class TestMTT:
    @pytest.mark.parametrize("extra", [{}, {"batch_syn": 2}, {"student_momentum": 0.9}, {"augmentation": "none"}])
    def test_every_unroll_starts_from_the_same_loss_and_exact_ones_agree(self, extra):
        task = tiny_task()
        gradients, losses = {}, {}
        for unroll in ("full", "adjoint", {"kind": "adjoint", "every": 2}, "tesla", {"kind": "truncated", "last": 1}):
            method = MTT(**SMALL, **extra, unroll=unroll)
            syn = method.initialize(task, 2, at())
            images = syn.images.clone().requires_grad_()
            from dataclasses import replace

            loss, _ = method.outer_loss(replace(syn, images=images), task, at(3))
            losses[str(unroll)] = loss.item()
            gradients[str(unroll)] = torch.autograd.grad(loss, images)[0]
        assert len({round(value, 5) for value in losses.values()}) == 1
        want = gradients.pop("full")
        for name, got in gradients.items():
            error = ((got - want).norm() / want.norm()).item()
            assert (error < 1e-4) == ("adjoint" in name), (name, error)

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"unroll": "truncated"}, "needs last"),
            ({"unroll": {"kind": "adjoint", "last": 3}}, "needs last"),
            ({"min_start_epoch": 4}, "below max_start_epoch"),
            ({"image_lr": 0}, "greater than 0"),
        ],
    )
    def test_settings_that_make_no_sense(self, settings, says):
        with pytest.raises(ValueError, match=says):
            MTT(**{**SMALL, **settings})

    def test_noise_start(self):
        syn = MTT(**SMALL, init="noise").initialize(tiny_task(), 2, at())
        assert abs(syn.images.mean().item()) < 0.2 and abs(syn.images.std().item() - 1) < 0.2


class TestSpan:
    def test_experts_are_as_long_as_the_window_and_the_span_need(self):
        assert MTT(inner_steps=1, max_start_epoch=20, expert_epochs=3, image_lr=1.0).needed_epochs() == 22

    def test_uses_every_expert_once_a_pass(self):
        for turn in range(3):
            assert sorted(expert_of_step(at(turn * 5 + i), 5) for i in range(5)) == list(range(5))

    def test_window_is_half_open_and_target_lies_expert_epochs_later(self):
        task = tiny_task()
        starts = set()
        for step in range(200):
            span = draw_span(task.experts, at(step), StartWindow(2, 6), 3)
            starts.add(span.start_epoch)
            expert = expert_of_step(at(step), 2)
            assert torch.equal(span.begin, task.experts[expert, span.start_epoch])
            assert torch.equal(span.after(3), task.experts[expert, span.start_epoch + 3])
        assert starts == {2, 3, 4, 5}

    def test_an_expert_that_stands_still_is_refused(self):
        task = tiny_task()
        task.experts.rows[:] = 1.0
        with pytest.raises(UserError, match="does not move between epochs"):
            draw_span(task.experts, at(), StartWindow(0, 4), 2)


class TestBaselines:
    def test_random_rows_are_of_their_class_and_different(self):
        real = tiny_task().real
        rows = random_rows(real, 4, torch.Generator().manual_seed(0))
        assert len(set(rows.tolist())) == 12
        assert real.train.labels[rows].tolist() == [0] * 4 + [1] * 4 + [2] * 4

    @given(st.integers(0, 999), st.integers(1, 8))
    @settings(deadline=None, max_examples=20)
    def test_herding_is_greedy_for_the_mean(self, seed, count):
        x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        chosen: list[int] = []
        for _ in range(count):
            rest = [i for i in range(9) if i not in chosen]
            chosen.append(min(rest, key=lambda i: (x.mean(0) - x[[*chosen, i]].mean(0)).norm().item()))
        assert herd(x, count).tolist() == chosen

    @given(st.integers(0, 999), st.integers(2, 8))
    @settings(deadline=None, max_examples=20)
    def test_k_center_takes_the_farthest(self, seed, count):
        x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        distances = cdist(x, x)
        chosen = farthest_first(x, count).tolist()
        assert chosen[0] == (x - x.mean(0)).norm(dim=1).argmin().item()
        for k in range(1, count):
            assert chosen[k] == distances[:, chosen[:k]].min(1).argmax()

    def test_k_center_takes_a_duplicate_only_once_each(self):
        assert sorted(farthest_first(torch.zeros(4, 2), 4).tolist()) == [0, 1, 2, 3]
