"""The compensators' objective against plain autograd in float64: statistics, chunks of classes, jobs side by side."""

import pytest
import torch
from helpers.infer_makers import drawn_network
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resized_crop

from ddbench.methods.infer.objective import Objective
from ddbench.methods.parts.batch_statistics import BatchStatistics, matching_loss
from ddbench.methods.parts.shared_view import View, drawn_view, seen_under
from ddbench.networks import ImageShape
from ddbench.randomness import stream

STILL = View(None, False, 0, 0)
NETWORKS = ["convnet-d2-w4-bn", "resnet10-bn", "convnet-d1-w4"]
BIG = ["resnet18-cifar", "mobilenet-v2-cifar", "efficientnet-b0-cifar", "shufflenet-g2-cifar"]
CLASSES = 7


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=stream(seed, "drawn"))


def problem(name, jobs=2, groups=1, size=16, seed=0, **settings):
    """A teacher in float64, natural images, compensators, and a view a job."""
    teacher = drawn_network(name, ImageShape(3, size, CLASSES), seed).double()
    objective = Objective(teacher=teacher, natural=drawn(jobs, CLASSES, 3, size, size, seed=seed), **settings)
    generator = stream(seed, "views")
    views = [drawn_view(size, shift=3, crop=True, mirror=True, generator=generator) for _ in range(jobs)]
    return objective, 0.1 * drawn(jobs, groups, 3, size, size, seed=seed + 1), views


def plain(objective, compensators, views):
    """The same losses and gradient, job after job, all classes in one batch, by nothing but autograd."""
    crosses, distances, gradients = [], [], []
    for natural, added, view in zip(objective.natural, compensators, views, strict=True):
        added = added.clone().requires_grad_()
        found = []

        def note(layer, entering, leaving, found=found):
            images = entering[0]
            off = images.mean((0, 2, 3)) - layer.running_mean
            spread = images.transpose(0, 1).flatten(1).var(1, unbiased=False) - layer.running_var
            found.append(spread.square().sum().sqrt() + off.square().sum().sqrt())

        layers = [module for module in objective.teacher.modules() if isinstance(module, nn.BatchNorm2d)]
        handles = [layer.register_forward_hook(note) for layer in layers]
        logits = objective.teacher(seen_under(view, natural + added))
        for handle in handles:
            handle.remove()
        cross = functional.cross_entropy(logits, torch.arange(CLASSES))
        weights = [objective.first_bn] + [1.0] * (len(found) - 1)
        distance = sum((w * f for w, f in zip(weights, found, strict=False)), torch.zeros((), dtype=torch.float64))
        (gradient,) = torch.autograd.grad(cross + objective.bn_weight * distance, added)
        crosses.append(cross.detach())
        distances.append(distance.detach())
        gradients.append(gradient)
    return torch.stack(crosses), torch.stack(distances), torch.stack(gradients)


def assert_same(found, wanted):
    assert wanted[2].abs().max() > 0
    for one, other in zip(found, wanted, strict=True):
        scale = other.abs().max().clamp(min=1)
        assert float((one - other).abs().max() / scale) < 1e-10


class TestGradient:
    @pytest.mark.parametrize("name", NETWORKS)
    @pytest.mark.parametrize("groups", [1, CLASSES])
    @pytest.mark.parametrize("at_once", [None, 1, 3, 6, 7, 100])
    def test_chunks_of_classes_equal_the_whole_batch(self, name, groups, at_once):
        objective, compensators, views = problem(name, groups=groups, classes_at_once=at_once, bn_weight=0.7)
        found = objective.losses_and_gradient(compensators, views)
        assert_same(found, plain(objective, compensators, views))
        assert (found[1].min() > 0) == (name != "convnet-d1-w4"), "instance norm has no statistics to match"

    @pytest.mark.slow
    @pytest.mark.parametrize("name", BIG)
    @pytest.mark.parametrize("at_once", [None, 3])
    def test_and_of_the_published_teachers(self, name, at_once):
        objective, compensators, views = problem(name, size=32, classes_at_once=at_once)
        assert_same(objective.losses_and_gradient(compensators, views), plain(objective, compensators, views))

    def test_jobs_side_by_side_do_not_see_each_other(self):
        objective, compensators, views = problem("resnet10-bn", jobs=3, classes_at_once=4)
        cross, distance, gradient = objective.losses_and_gradient(compensators, views)
        for job in range(3):
            alone = Objective(
                teacher=objective.teacher, natural=objective.natural[job : job + 1], classes_at_once=4
            ).losses_and_gradient(compensators[job : job + 1], views[job : job + 1])
            wanted = (cross[job : job + 1], distance[job : job + 1], gradient[job : job + 1])
            assert_same(alone, wanted)

    def test_finite_differences(self):
        objective, compensators, views = problem("convnet-d2-w4-bn", jobs=1, size=8)
        _, _, gradient = objective.losses_and_gradient(compensators, views)
        for seed in range(3):
            way = drawn(*compensators.shape, seed=seed)
            (up, up_bn, _), (down, down_bn, _) = (
                objective.losses_and_gradient(compensators + step * way, views) for step in (1e-6, -1e-6)
            )
            slope = ((up + up_bn) - (down + down_bn)).item() / 2e-6
            assert slope == pytest.approx((gradient * way).sum().item(), rel=1e-6)

    def test_every_class_has_a_share(self):
        """Take one class's image away from its place, and the shared gradient changes, whichever class it is."""
        objective, compensators, views = problem("convnet-d2-w4-bn", jobs=1)
        _, _, gradient = objective.losses_and_gradient(compensators, views)
        for label in range(CLASSES):
            natural = objective.natural.clone()
            natural[0, label] = drawn(3, 16, 16, seed=99)
            changed = Objective(teacher=objective.teacher, natural=natural)
            _, _, other = changed.losses_and_gradient(compensators, views)
            assert (gradient - other).abs().max() > 1e-4

    def test_nothing_is_left_in_the_teacher(self):
        objective, compensators, views = problem("resnet10-bn")
        before = {name: tensor.clone() for name, tensor in objective.teacher.state_dict().items()}
        objective.losses_and_gradient(compensators, views)
        assert all(torch.equal(before[name], tensor) for name, tensor in objective.teacher.state_dict().items())
        assert not any(module._forward_pre_hooks for module in objective.teacher.modules())


class TestStatistics:
    def test_zero_where_a_batch_has_the_running_statistics(self):
        network = drawn_network("convnet-d2-w4-bn", ImageShape(1, 8, CLASSES)).double()
        images = drawn(5, 1, 8, 8)
        layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for number in range(len(layers)):  # one after the other, since each changes what the next sees
            entering = _entering(network, layers[number], images)
            layers[number].running_mean.copy_(entering.mean((0, 2, 3)))
            layers[number].running_var.copy_(entering.var((0, 2, 3), unbiased=False))
        with BatchStatistics(network, 1) as statistics:
            network(images)
            assert float(matching_loss(statistics.take(), 10.0)) < 1e-12

    def test_a_layer_that_is_never_used_is_left_out(self):
        network = drawn_network("convnet-d2-w4-bn", ImageShape(1, 8, 3))
        network.idle = nn.BatchNorm2d(4)
        with BatchStatistics(network, 1) as statistics:
            network(torch.randn(2, 1, 8, 8, generator=stream(0, "x")))
            seen = statistics.take()
        assert len(seen) == 2 and network.idle not in seen and not statistics.take()

    def test_the_layer_an_image_meets_first_has_a_weight(self):
        network, images = drawn_network("convnet-d2-w4-bn", ImageShape(1, 8, 3)).double(), drawn(4, 1, 8, 8)
        with BatchStatistics(network, 1) as statistics:
            network(images)
            seen = statistics.take()
        first, _ = (matching_loss({layer: sums}, 1.0) for layer, sums in seen.items())
        torch.testing.assert_close(matching_loss(seen, 10.0) - matching_loss(seen, 1.0), 9 * first)

    def test_moments_pass_gradcheck(self):
        from ddbench.methods.parts.batch_statistics import _Moments

        images, mean = drawn(4, 2, 3, 3).requires_grad_(), drawn(2, seed=1)
        assert torch.autograd.gradcheck(lambda x: _Moments.apply(x, mean, 2), images)


def _entering(network, layer, images):
    found = []
    handle = layer.register_forward_pre_hook(lambda module, entering: found.append(entering[0]))
    network(images)
    handle.remove()
    return found[0]


class TestViews:
    @given(st.integers(0, 9999))
    @settings(deadline=None, max_examples=30)
    def test_a_crop_is_torchvisions(self, seed):
        view = drawn_view(16, shift=0, crop=True, mirror=False, generator=stream(seed, "view"))
        images = torch.rand(2, 3, 16, 16, generator=stream(seed, "images"))
        wanted = resized_crop(images, *view.box, [16, 16], InterpolationMode.BILINEAR, antialias=True)
        torch.testing.assert_close(seen_under(view, images), wanted)

    def test_boxes_and_moves_are_in_range_and_all_happen(self):
        generator = stream(0, "views")
        views = [drawn_view(16, shift=2, crop=True, mirror=True, generator=generator) for _ in range(400)]
        assert {view.down for view in views} == {view.right for view in views} == {0, 1, 2}
        assert {view.mirrored for view in views} == {False, True}
        for top, left, height, width in (view.box for view in views):
            assert 0 <= top <= 16 - height and 0 <= left <= 16 - width
            assert 0.06 * 256 <= height * width <= 256 and 0.6 <= width / height <= 1.7
        plain = [drawn_view(16, shift=0, crop=False, mirror=True, generator=generator) for _ in range(9)]
        assert set(plain) == {STILL}
        assert not any(
            drawn_view(16, shift=0, crop=True, mirror=False, generator=generator).mirrored for _ in range(20)
        )

    def test_moves_go_round_the_edge_and_mirrors_come_before(self):
        images = torch.arange(16.0).view(1, 1, 4, 4)
        moved = seen_under(View(None, True, 1, 2), images)
        for row in range(4):
            for column in range(4):
                assert moved[0, 0, (row + 1) % 4, (column + 2) % 4] == images[0, 0, row, 3 - column]
