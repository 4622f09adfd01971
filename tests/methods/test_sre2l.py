"""SRe2L: the recovery of images from noise, its jobs, and the set that they make."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task
from torch.nn import functional

from ddbench.data.preprocessing import Preprocessing
from ddbench.distillation.run import run
from ddbench.errors import UserError
from ddbench.methods.parts.batch_statistics import BatchStatistics, matching_loss
from ddbench.methods.sre2l.method import SRe2L
from ddbench.methods.sre2l.recovery import Recovery
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.testing.tiny_task import drawn_network, drawn_teachers

TEACHER = {"networks": ["convnet-d1-w4-bn"]}
SMALL = {"iterations": 4, "shift": 1, "teachers": TEACHER}


def task():
    return replace(tiny_task(experts=False, teachers=True), method="sre2l")


def made(folder, ipc=2, seed=3, progress=None, of=None, **settings):
    method = SRe2L.model_validate({**SMALL, **settings})
    watched = under(of or task(), progress=progress, checkpoint_seconds=0)
    paths = run(method, watched, ipc, folder, seed=seed)
    return load_synthetic(paths[-1])


def recovery(**changes):
    settings = {"iterations": 4, "lr": 0.25, "betas": (0.5, 0.9), "bn_weight": 0.01, "first_bn": 10.0, "shift": 1}
    settings |= {"both_ways": False, "crop": "none", "least_area": 0.08, "mirror": True}
    return Recovery(**{**settings, **changes})


class TestStatistics:
    @pytest.mark.parametrize(("weight", "expected"), [(10.0, 60.0), (1.0, 6.0)])
    def test_hand_computed(self, weight, expected):
        layer = torch.nn.BatchNorm2d(1).eval()
        layer.running_mean.fill_(1)
        with BatchStatistics(layer, 1) as statistics:
            layer(torch.tensor([0.0, 2.0, 4.0, 6.0]).view(4, 1, 1, 1))
            distance = matching_loss(statistics.take(), weight)
        assert distance.item() == pytest.approx(expected)

    def test_loss_is_the_cross_entropy_and_the_distance_of_plain_autograd(self):
        real = task().real
        teacher = drawn_network("convnet-d2-w4-bn", real.shape).double()
        images = torch.randn(3, 1, 8, 8, dtype=torch.float64, requires_grad=True)
        labels, way = torch.arange(3), recovery(shift=0)
        cross, distance = way.loss(images, labels, teacher, way.view(0, at(), "x", 8))
        inputs, handles = [], []
        layers = [m for m in teacher.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        handles = [layer.register_forward_pre_hook(lambda _, seen: inputs.append(seen[0])) for layer in layers]
        expected = functional.cross_entropy(teacher(images), labels)
        for handle in handles:
            handle.remove()
        terms = [
            (seen.mean((0, 2, 3)) - layer.running_mean).norm()
            + (seen.var((0, 2, 3), unbiased=False) - layer.running_var).norm()
            for layer, seen in zip(layers, inputs, strict=True)
        ]
        assert torch.allclose(cross, expected, atol=1e-12)
        assert torch.allclose(distance, 10 * terms[0] + sum(terms[1:]), atol=1e-12)
        ours, plain = (
            torch.autograd.grad(c + 0.3 * d, images, retain_graph=True)[0]
            for c, d in ((cross, distance), (expected, 10 * terms[0] + sum(terms[1:])))
        )
        assert torch.allclose(ours, plain, atol=1e-12)


class TestSchedules:
    def test_rate_is_lr_at_first_and_nearly_zero_at_last(self):
        way = recovery(iterations=1000)
        assert way.rate(0) == 0.25 and 0 < way.rate(999) < 1e-6 and way.rate(500) == pytest.approx(0.125)

    def test_curriculum_falls_from_the_whole_image_to_the_least_area(self):
        way = recovery(iterations=50, crop="curriculum")
        areas = [way.area(step) for step in range(50)]
        assert areas[0] == 1 and areas[-1] == pytest.approx(0.08) and areas == sorted(areas, reverse=True)
        assert recovery(crop="random").area(0) == 0.08 == recovery(crop="random").area(3)

    def test_views_are_of_the_step_and_the_job_alone(self):
        way = recovery(shift=3, both_ways=True, crop="random")
        views = [way.view(step, at(seed=5), "a", 32) for step in range(60)]
        assert views == [way.view(step, at(step=9, seed=5), "a", 32) for step in range(60)]
        assert {view.down for view in views} == {*range(-3, 4)} and len({view.box for view in views}) > 40
        assert {view.down for view in (recovery(shift=3).view(s, at(), "a", 32) for s in range(60))} == {0, 1, 2, 3}
        assert all(recovery().view(step, at(), "a", 32).box is None for step in range(9))


class TestSet:
    def test_shapes_facts_and_limits(self, tmp_path):
        syn = made(tmp_path, lr=50.0)
        assert syn.images.shape == (6, 1, 8, 8) and syn.images.dtype == torch.uint8
        assert syn.hard_labels().tolist() == [0, 0, 1, 1, 2, 2] and syn.ipc == 2
        assert syn.images.min() == 0 and syn.images.max() == 255  # a huge rate drives pixels to black and white
        assert "recovered from convnet-d1-w4-bn, 50.0 % on the test split" in syn.provenance["notes"]

    def test_loss_falls_and_classes_are_recognized(self, tmp_path):
        own = task()
        syn = made(tmp_path, of=own, iterations=200, bn_weight=0.05)
        start = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        seen, before = (own.teachers.logits(images) for images in (syn.decoded().images, start))
        labels = syn.hard_labels()
        assert functional.cross_entropy(seen, labels) < 0.75 * functional.cross_entropy(before, labels)

    def test_a_job_run_alone_makes_the_same_image(self, tmp_path):
        two, three = (made(tmp_path / str(ipc), ipc=ipc) for ipc in (2, 3))
        assert torch.equal(two.images[[0, 1]], three.images[[0, 1]])

    def test_classes_of_another_chunk_are_another_result(self, tmp_path):
        whole, halves = made(tmp_path / "1"), made(tmp_path / "2", classes_at_once=2)
        assert not torch.equal(whole.images, halves.images)
        assert SRe2L.model_validate({**SMALL, "classes_at_once": 2}).jobs(task(), 2) == [
            f"image{number}-classes{chunk}" for number in range(2) for chunk in ("0-1", "2-2")
        ]

    @pytest.mark.parametrize("step", [1, 3])
    def test_interrupted_it_ends_with_the_same_bits(self, tmp_path, step):
        whole = made(tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "parts", progress=StopAt(step))
        assert torch.equal(made(tmp_path / "parts").images, whole.images)

    def test_seed_decides_and_global_randomness_is_left_alone(self, tmp_path):
        before = torch.get_rng_state()
        one, two, other = (made(tmp_path / str(n), seed=seed) for n, seed in enumerate((3, 3, 4)))
        assert torch.equal(one.images, two.images) and not torch.equal(one.images, other.images)
        assert torch.equal(before, torch.get_rng_state())


class TestRefusals:
    def test_teacher_without_batch_norm(self, tmp_path):
        own = task()
        plain = replace(own, teachers=drawn_teachers(own.real, ("convnet-d1-w4",)))
        with pytest.raises(UserError, match="this teacher has none") as caught:
            made(tmp_path, of=plain)
        assert "resnet18-cifar" in caught.value.fix

    def test_more_than_one_teacher(self):
        with pytest.raises(ValueError, match="one teacher, not from 2"):
            SRe2L.model_validate({"teachers": {"networks": ["resnet18-bn", "resnet18-cifar"]}})

    def test_other_classes_and_no_teachers(self, tmp_path):
        own = task()
        with pytest.raises(UserError, match="SRe2L needs teachers"):
            made(tmp_path, of=replace(own, teachers=None))
        with pytest.raises(UserError, match="trained on other images"):
            made(tmp_path, of=replace(own, teachers=tiny_task(experts=False, teachers=True, classes=4).teachers))

    def test_whitened_images(self, tmp_path):
        own, eye = task(), torch.eye(64)
        real = replace(own.real, preprocessing=Preprocessing.whitening(torch.zeros(64), eye, eye, "x"))
        with pytest.raises(UserError, match="ZCA mixes all pixels") as caught:
            made(tmp_path, of=replace(own, real=real, teachers=drawn_teachers(real)))
        assert caught.value.fix == "preprocessing: meanstd"

    def test_numbers_that_are_lost_stop_the_run(self, tmp_path):
        own = task()
        state = {
            name: tensor * float("nan") for name, tensor in own.teachers.states[0].items() if tensor.is_floating_point()
        }
        broken = replace(own.teachers, states=({**own.teachers.states[0], **state},))
        with pytest.raises(UserError, match="no longer finite numbers at step 0"):
            made(tmp_path, of=replace(own, teachers=broken))


def test_memory_grows_with_the_classes_of_a_batch():
    sizes = task().sizes
    method = SRe2L.model_validate(SMALL)
    one, three = (method.model_copy(update={"classes_at_once": n}).peak_bytes(sizes, 1) for n in (1, 3))
    assert 0 < one < three
    (suggestion,) = method.memory_suggestions(sizes, 1, one)
    assert suggestion.bytes == one and "classes_at_once=1" in suggestion.how
