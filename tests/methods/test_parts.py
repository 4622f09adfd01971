"""Each part of trajectory matching alone, against what it is by hand or by another library."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.expert_data import tiny_real
from helpers.trained_task import EPOCHS, expert_module, planted_real, trained_task
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data.realset import Split
from ddbench.errors import UserError
from ddbench.methods.parts.ast_student import balance, perturbed
from ddbench.methods.parts.expert_ensemble import ExpertEnsemble
from ddbench.methods.parts.expert_segment import Growth, StartWindow, draw_span
from ddbench.methods.parts.init_correct import CorrectInit
from ddbench.methods.parts.init_kmeans import KMeansInit, nearest_to_centers
from ddbench.methods.parts.initialization import NoiseInit, RealInit, class_major_labels
from ddbench.methods.parts.labels import (
    expert_logits,
)
from ddbench.methods.parts.matching import FinalMatch, IntermediateMatch, trajectory_matching_loss


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return trained_task(tmp_path_factory.mktemp("experts"))


class TestWindow:
    def test_a_fixed_window_stays(self):
        assert {StartWindow(2, 7).upper(step) for step in (0, 1, 10**6)} == {7}

    @given(st.integers(0, 20), st.integers(1, 30), st.integers(0, 40), st.integers(1, 5000))
    @settings(max_examples=60, deadline=None)
    def test_a_growing_window_begins_at_first_ends_at_highest_and_never_shrinks(self, lowest, first, more, steps):
        first, highest = lowest + first, lowest + first + more
        window = StartWindow(lowest, highest, Growth(first=first, steps=steps))
        assert window.upper(0) == first and window.upper(steps) == window.upper(10 * steps) == highest
        uppers = [window.upper(step) for step in range(0, steps + 2, max(1, steps // 50))]
        assert uppers == sorted(uppers) and lowest < uppers[0] and uppers[-1] <= highest

    @pytest.mark.parametrize(("step", "upper"), [(0, 10), (99, 10), (100, 11), (550, 15), (999, 19), (1000, 20)])
    def test_as_datm_for_ten_images_of_cifar10(self, step, upper):
        assert StartWindow(0, 20, Growth(first=10, steps=1000)).upper(step) == upper

    def test_start_epochs_stay_inside_and_reach_both_ends(self):
        experts, window = tiny_task().experts, StartWindow(1, 8, Growth(first=3, steps=100))
        for step, want in ((0, {1, 2}), (100, {1, 2, 3, 4, 5, 6, 7})):
            drawn = {draw_span(experts, at(step, seed), window, 2).start_epoch for seed in range(150)}
            assert drawn == want

    def test_a_span_past_the_last_epoch(self):
        with pytest.raises(UserError) as caught:
            draw_span(tiny_task().experts, at(), StartWindow(0, 12), 3)
        said = str(caught.value)
        assert "14 epochs are needed, the experts have 12" in said
        assert "ddbench buffer RECIPE -o experts.epochs=14" in said


class TestMatch:
    def milestones(self, seed=0, epochs=4, size=6):
        rows = torch.randn(epochs, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        return lambda i: rows[i]

    def test_final_looks_at_the_end_alone(self):
        path = torch.randn(9, 6, dtype=torch.float64)
        want = trajectory_matching_loss(path[8], self.milestones()(3), path[0])
        assert FinalMatch().loss(path[list(FinalMatch().moments(8, 3))], self.milestones(), 3, ()) == want

    @pytest.mark.parametrize(("weights", "first", "second"), [("equal", 1, 1), ("growing", 1 / 3, 2 / 3)])
    def test_intermediate_by_hand(self, weights, first, second):
        path, expert = torch.randn(9, 6, dtype=torch.float64), self.milestones()
        begin = path[0]

        def term(step, epoch):
            return ((path[step] - expert(epoch)) ** 2).sum() / ((begin - expert(epoch)) ** 2).sum()

        want = term(8, 3) + first * term(2, 1) + second * term(4, 2)  # floor(8 / 3) = 2 steps an epoch
        match = IntermediateMatch(weights=weights)
        seen = path[list(match.moments(8, 3))]
        assert match.loss(seen, expert, 3, ()).item() == pytest.approx(want.item(), rel=1e-12)

    @pytest.mark.parametrize("match", [FinalMatch(), IntermediateMatch(), IntermediateMatch(weights="growing")])
    def test_a_student_on_the_experts_path_loses_nothing(self, match):
        expert = self.milestones()
        path = torch.stack([expert(i) for i in (0, 0, 1, 1, 2, 2, 3)])
        assert match.loss(path[list(match.moments(6, 3))], expert, 3, ()).item() == 0


class TestStudent:
    @pytest.mark.parametrize(("start", "factor"), [(0, 0.557), (9, 1 / math.log(9, 5)), (10, 1.292), (19, 1.760)])
    def test_balance_at_twenty(self, start, factor):
        assert balance(start, 20) == pytest.approx(factor, abs=5e-4)

    def test_balance_rises(self):
        factors = [balance(start, 30) for start in range(30)]
        assert factors == sorted(factors) and factors[14] < 1 < factors[15]

    def test_perturbation_by_hand(self):
        network = tiny_task().network
        theta = torch.randn(network.size, dtype=torch.float64)
        got = perturbed(theta, network.shapes, 0.7, torch.Generator().manual_seed(5))
        generator, start = torch.Generator().manual_seed(5), 0
        for shape in network.shapes:
            old, new = theta[start : start + shape.numel()], got[start : start + shape.numel()]
            if len(shape) == 4:
                d = torch.randn(shape.numel(), dtype=torch.float64, generator=generator)
                assert torch.allclose(new, old + 0.7 * d / d.square().sum().sqrt() * old, rtol=1e-12)
                assert not torch.equal(new, old)
            else:
                assert torch.equal(new, old)
            start += shape.numel()

    def test_no_perturbation_at_alpha_zero(self):
        network = tiny_task().network
        theta = torch.randn(network.size)
        assert torch.equal(perturbed(theta, network.shapes, 0.0, torch.Generator()), theta)


class TestJury:
    @pytest.mark.parametrize("network", ["convnet-d1-w4", "convnet-d1-w4-bn"])
    def test_judges_as_the_expert_in_eval_mode(self, tmp_path, network):
        task = trained_task(tmp_path, network=network, count=2)
        images = task.real.inputs(task.real.train)
        for expert in range(2):
            with torch.no_grad():
                want = expert_module(task, expert)(images)
            assert torch.allclose(ExpertEnsemble(task, EPOCHS).logits(expert, images), want, atol=1e-6)
            rows = torch.tensor([5, 2, 71])
            ((chunk, logits),) = ExpertEnsemble(task, EPOCHS).logits_of_rows(expert, rows)
            assert torch.equal(chunk, rows) and torch.allclose(logits, want[rows], atol=1e-5)

    def test_the_experts_know_the_classes(self, task):
        """Or the tests below would say nothing."""
        real = task.real
        right = ExpertEnsemble(task, EPOCHS).logits(0, real.inputs(real.train)).argmax(1) == real.train.labels
        assert 0.6 < right.float().mean() < 1

    def test_reads_one_row_an_expert(self, task):
        class Watched:
            epochs, read = task.experts.epochs, []

            def __len__(self):
                return 3

            def statistics(self, expert, epoch):
                return None

            def __getitem__(self, key):
                self.read.append(key)
                return task.experts[key]

        watched = replace(task, experts=Watched())
        start = CorrectInit().start(watched, 20, at(), EPOCHS)
        syn = watched.synthetic(start.images, class_major_labels(3, 20), ipc=20)
        expert_logits(syn, watched, EPOCHS, "correct")
        assert {epoch for _, epoch in Watched.read} == {EPOCHS} and len(Watched.read) <= 6

    def test_batch_norm_without_statistics_is_refused(self, tmp_path):
        task = trained_task(tmp_path, network="convnet-d1-w4-bn", count=1)
        task.experts.statistics = lambda expert, epoch: None
        with pytest.raises(UserError, match="batch norm"):
            ExpertEnsemble(task, EPOCHS).logits(0, task.real.inputs(task.real.train))

    def test_too_late_an_epoch(self, task):
        with pytest.raises(UserError, match=r"epoch 9 .* they have 4"):
            ExpertEnsemble(task, 9)


class TestPixels:
    @pytest.mark.parametrize("init", [RealInit(), CorrectInit(), KMeansInit()])
    def test_are_different_images_of_their_class(self, task, init):
        images = init.start(task, 7, at(), EPOCHS).images
        every = task.real.inputs(task.real.train)
        rows = [int((every == image).flatten(1).all(1).nonzero()[0]) for image in images]
        assert len(set(rows)) == 21 and task.real.train.labels[rows].tolist() == class_major_labels(3, 7).tolist()

    def test_noise(self, task):
        images = NoiseInit().start(task, 20, at(), EPOCHS).images
        assert images.shape == (60, 1, 8, 8) and abs(images.std().item() - 1) < 0.05

    def test_the_first_expert_classifies_every_image_correctly(self, task):
        start = CorrectInit().start(task, 10, at(), EPOCHS)
        with torch.no_grad():
            seen = expert_module(task, 0)(start.images).argmax(1)
        assert torch.equal(seen, class_major_labels(3, 10)) and start.notes == ()

    def test_more_than_the_first_expert_knows_are_asked_of_the_next(self, task):
        real, images = task.real, task.real.inputs(task.real.train)
        ensemble = ExpertEnsemble(task, EPOCHS)
        known = torch.stack([ensemble.logits(e, images).argmax(1) == real.train.labels for e in range(3)])
        by_class = [known[:, real.train.labels == label] for label in range(3)]
        label = min(range(3), key=lambda k: by_class[k][0].sum())
        ipc = int(by_class[label].any(0).sum())
        assert ipc > int(by_class[label][0].sum()), "the first expert knows it all: nothing is tested"
        ipc = min(ipc, *(int(part.any(0).sum()) for part in by_class))
        start = CorrectInit().start(task, ipc, at(), EPOCHS)
        judged = torch.stack([ensemble.logits(e, start.images).argmax(1) for e in range(3)])
        assert (judged == class_major_labels(3, ipc)).any(0).all() and start.notes == ()

    def test_a_class_that_no_expert_knows_is_filled_up_and_it_is_said(self, task):
        """Labels turned round: what experts call a, b, c is now b, c, a, so that hardly anything is correct."""
        train = task.real.train
        turned = replace(task, real=replace(task.real, train=Split(train.images, (train.labels + 1) % 3)))
        start = CorrectInit().start(turned, 30, at(), EPOCHS)
        assert len(start.images) == 90 and len(start.notes) == 3
        assert "class 'a': no expert classifies" in start.notes[0] and "of its 30 initial images" in start.notes[0]
        few = CorrectInit().start(turned, 12, at(), EPOCHS)
        said = [int(note.split("classifies ")[1].split(" ")[0]) for note in few.notes]
        ensemble = ExpertEnsemble(turned, EPOCHS)
        judged = torch.stack([ensemble.logits(e, few.images).argmax(1) for e in range(3)]) == class_major_labels(3, 12)
        assert sum(said) == int((~judged.any(0)).sum()) > 0

    def test_representatives_are_nearest_to_the_centers_of_sklearn(self):
        from sklearn.cluster import KMeans

        points = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
        found = nearest_to_centers(points, 4, 3, seed=1)
        kmeans = KMeans(n_clusters=4, n_init=1, random_state=1).fit(points.double().numpy())
        left = list(range(60))
        want = []
        for center in torch.from_numpy(kmeans.cluster_centers_):
            order = sorted(left, key=lambda i: (points[i].double() - center).norm().item())
            want += order[:3]
            left = [i for i in left if i not in order[:3]]
        assert found.tolist() == want

    def test_representatives_of_planted_clusters(self):
        centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
        points = torch.cat([center + 0.1 * torch.randn(20, 2) for center in centers])
        assert sorted(i // 20 for i in nearest_to_centers(points, 3, 1, seed=0).tolist()) == [0, 1, 2]

    def test_released_ten_clusters_need_a_multiple_of_ten(self, task):
        with pytest.raises(UserError, match="10 clusters do not share out 7 images"):
            KMeansInit(clusters=10).start(task, 7, at(), EPOCHS)
        assert len(KMeansInit(clusters=10).start(task, 20, at(), EPOCHS).images) == 60


def test_planted_classes_are_balanced():
    assert planted_real().train.labels.bincount().tolist() == [30] * 3 and tiny_real().classes == 3
