"""Gradient matching (DC, DSA): the distance by hand, the gradient against differences, loops, draws, networks."""

from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from torch.nn import functional as F

from ddbench.augmentation import DSAPolicy
from ddbench.augmentation.draw import siamese
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.model_size import Sizes
from ddbench.methods import DC, DSA, METHODS
from ddbench.methods.class_matching import drawn_network
from ddbench.methods.parts.class_chunks import summed_over_classes
from ddbench.methods.parts.class_match import GradientMatch, cosine, cosine_rows
from ddbench.methods.parts.class_match import squared_distance as mse
from ddbench.methods.parts.network_loop import PUBLISHED, loop_for, published_loop
from ddbench.methods.parts.real_batches import RandomBatches
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream

F64 = torch.float64


def of_one_class(*tensors):
    """Gradients by parameter of one class."""
    return [torch.tensor(tensor, dtype=F64)[None] for tensor in tensors]


class TestDistance:
    REAL = of_one_class([[3, 4], [0, 2]], [1, 0])
    SYNTHETIC = of_one_class([[4, 3], [0, -1]], [3, 0])

    def test_hand_computed(self):
        assert cosine_rows(self.REAL, self.SYNTHETIC).item() == pytest.approx(2.0399995, abs=1e-7)
        assert mse(self.REAL, self.SYNTHETIC).item() == pytest.approx(15)
        assert cosine(self.REAL, self.SYNTHETIC).item() == pytest.approx(0.228483, abs=1e-6)

    def test_tensors_of_one_dimension_count_in_no_row(self):
        other = [self.SYNTHETIC[0], self.SYNTHETIC[1] + 5]
        assert cosine_rows(self.REAL, other) == cosine_rows(self.REAL, self.SYNTHETIC)
        for distance in (mse, cosine):
            assert abs(distance(self.REAL, other) - distance(self.REAL, self.SYNTHETIC)) > 0.1

    def test_the_scale_of_a_gradient_counts_nothing(self):
        seven = [7 * part for part in self.SYNTHETIC]
        assert cosine_rows(self.REAL, seven).item() == pytest.approx(
            cosine_rows(self.REAL, self.SYNTHETIC).item(), abs=1e-6
        )

    def test_rows_are_output_channels_and_a_row_of_zeros_counts_one(self):
        generator = torch.Generator().manual_seed(0)
        shapes = [(5, 3, 2, 2), (5, 4, 4), (6, 7), (5,)]
        one, other = ([torch.randn(2, *s, generator=generator, dtype=F64) for s in shapes] for _ in range(2))
        one[0][0, 2] = 0
        want = 0.0
        for a, b in zip(one[:3], other[:3], strict=True):
            for label in range(2):
                for x, y in zip(a[label].flatten(1), b[label].flatten(1), strict=True):
                    want += 1 - float(x @ y) / (float(x.norm()) * float(y.norm()) + 1e-6)
        assert cosine_rows(one, other).item() == pytest.approx(want, rel=1e-12)
        assert cosine_rows([torch.zeros(1, 4, 3)], [torch.ones(1, 4, 3)]).item() == 4

    def test_a_row_of_zeros_has_no_infinite_derivative(self):
        leaf = torch.zeros(1, 2, 3, dtype=F64, requires_grad=True)
        (derivative,) = torch.autograd.grad(cosine_rows([leaf], [torch.ones(1, 2, 3, dtype=F64)]), leaf)
        assert derivative.isfinite().all()


class Linear(torch.nn.Module):
    """Softmax regression without bias on two inputs."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2, bias=False)

    def forward(self, x):
        return self.layer(x.flatten(1))


def test_two_classes_and_a_linear_softmax_by_hand():
    """At W = 0, real (1, 0) and synthetic (1, 1) of class 0: 2 - sqrt 2, derivative (-1, 1) / sqrt 2."""
    network = FlatNetwork(Linear().double())
    real = [torch.tensor([1.0, 0], dtype=F64).view(1, 2, 1, 1)]
    synthetic = torch.tensor([1.0, 1], dtype=F64).view(1, 1, 2, 1, 1).requires_grad_()
    loss = GradientMatch().loss(network, torch.zeros(4, dtype=F64), real, synthetic, [0])
    (derivative,) = torch.autograd.grad(loss, synthetic)
    assert loss.item() == pytest.approx(0.585790, abs=1e-5)
    assert derivative.flatten().tolist() == pytest.approx([-0.7071, 0.7071], abs=1e-4)


def double_problem(classes=3, ipc=2):
    """A ConvNet of one block on 4 x 4 pixels, real batches of different sizes, synthetic images; float64."""
    generator = stream(0, "problem")
    network = FlatNetwork(build_network("convnet-d1-w4", ImageShape(1, 4, classes), seed=0)).to("cpu", F64)
    real = [torch.randn(3 + label, 1, 4, 4, generator=generator, dtype=F64) for label in range(classes)]
    synthetic = torch.randn(classes, ipc, 1, 4, 4, generator=generator, dtype=F64)
    return network, network.flatten(), real, synthetic


@pytest.mark.parametrize("distance", ["cosine-rows", "mse", "cos"])
def test_the_derivative_is_that_of_central_differences(distance):
    network, theta, real, synthetic = double_problem()
    match = GradientMatch(distance=distance)

    def loss(images):
        return match.loss(network, theta, real, images, [0, 1, 2])

    leaf = synthetic.clone().requires_grad_()
    (derivative,) = torch.autograd.grad(loss(leaf), leaf)
    for seed in range(3):
        way = torch.randn(synthetic.shape, generator=stream(seed, "way"), dtype=F64)
        difference = (loss(synthetic + 1e-5 * way) - loss(synthetic - 1e-5 * way)) / 2e-5
        assert (derivative * way).sum().item() == pytest.approx(difference.item(), rel=1e-6) and difference.abs() > 1e-3


@pytest.mark.parametrize("distance", ["cosine-rows", "mse", "cos"])
def test_classes_side_by_side_are_classes_one_by_one(distance):
    """The loss and its derivative by torch.func over all classes, by plain autograd, and by a loop written out here."""
    network, theta, real, synthetic = double_problem()
    match, found = GradientMatch(distance=distance), []
    for at_once in (3, 2, 1):
        leaf = synthetic.clone().requires_grad_()

        def loss(images, labels):
            return match.loss(network, theta, [real[label] for label in labels], images, labels)

        total = summed_over_classes(loss, leaf, range(3), at_once)
        found.append((total, *torch.autograd.grad(total, leaf)))
    point, leaf = theta.clone().requires_grad_(), synthetic.clone().requires_grad_()
    want = torch.zeros((), dtype=F64)
    for label in range(3):
        pair = []
        for images, graph in ((real[label], False), (leaf[label], True)):
            ce = F.cross_entropy(network(point, images), torch.full((len(images),), label))
            (g,) = torch.autograd.grad(ce, point, create_graph=graph)
            pair.append([part[None] for part in network.unflatten(g).values()])
        want = want + {"cosine-rows": cosine_rows, "mse": mse, "cos": cosine}[distance](*pair)
    found.append((want, *torch.autograd.grad(want, leaf)))
    for total, derivative in found[1:]:
        torch.testing.assert_close(total, found[0][0], rtol=1e-12, atol=0)
        torch.testing.assert_close(derivative, found[0][1], rtol=1e-10, atol=1e-14)
    assert found[0][1].abs().max() > 1e-3


class TestLoop:
    def test_the_published_table(self):
        table = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
        assert table == PUBLISHED and all(published_loop(ipc) == loop for ipc, loop in table.items())
        with pytest.raises(LookupError, match="no loop is published for 7 images per class"):
            published_loop(7)

    def test_the_rule_continues_the_table(self):
        rule = {2: (2, 50), 7: (7, 50), 15: (15, 50), 16: (16, 25), 25: (25, 25), 49: (49, 10), 100: (50, 10)}
        assert {ipc: loop_for(ipc) for ipc in rule} == rule
        assert all(loop_for(ipc) == loop for ipc, loop in PUBLISHED.items())

    @pytest.mark.parametrize("kind", [DC, DSA])
    def test_settings_are_filled_in_by_images_per_class(self, kind):
        filled = kind().for_ipc(10)
        assert (filled.iterations, filled.image_steps, filled.inner_epochs, filled.image_lr) == (10010, 10, 50, 0.1)
        assert filled.for_ipc(10) == filled
        assert kind(iterations=6, image_steps=3).for_ipc(10).model_dump() == {
            **filled.model_dump(),
            "iterations": 6,
            "image_steps": 3,
        }

    def test_a_plan_and_the_set_say_when_the_rule_is_used(self):
        task = tiny_task(experts=False)
        sizes = Sizes.of(task.network.module, task.real.shape)
        assert DC().for_ipc(10).plan_summary(sizes, 10) == {
            "outer steps": 10010,
            "networks": 1001,
            "inner steps": 9009 * 50,
            "loop": "published",
        }
        assert DC().for_ipc(7).plan_summary(sizes, 7)["loop"] == "by rule"
        (note,) = DC().initialize(task, 7, at()).provenance["notes"]
        assert note.startswith("no loop is published for 7 images per class: 7 steps") and "50 epochs" in note
        assert DC().initialize(task, 1, at()).provenance["notes"] == []


class TestNetwork:
    METHOD = DC(image_steps=3, inner_epochs=2, inner_batch=4, inner_lr=0.1)

    def test_is_drawn_every_few_steps_and_trained_in_between(self):
        """In the released order: a match, training, a match, training, a match; then the next network."""
        task = tiny_task(experts=False)
        syn, carried, seen = self.METHOD.initialize(task, 2, at()), {}, []
        for step in range(6):
            carried = self.METHOD.carry(syn, task, replace(at(step), carried=carried))
            seen.append(carried["theta"])
        assert torch.equal(seen[0], drawn_network(task, at(0))) and torch.equal(seen[3], drawn_network(task, at(3)))
        assert not torch.equal(seen[0], seen[3])
        losses = [F.cross_entropy(task.network(theta, syn.images), syn.labels).item() for theta in seen]
        assert losses[0] > losses[1] > losses[2] and losses[3] > losses[4] > losses[5]

    def test_training_is_torch_sgd(self):
        task = tiny_task(experts=False)
        method = DC(image_steps=2, inner_epochs=3, inner_lr=0.1)
        syn = method.initialize(task, 1, at())
        theta = method.carry(syn, task, at())["theta"]
        got = method.carry(syn, task, replace(at(1), carried={"theta": theta}))["theta"]
        leaf = theta.clone().requires_grad_()
        optimizer = torch.optim.SGD([leaf], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(task.network(leaf, syn.images), syn.labels).backward()
            optimizer.step()
        torch.testing.assert_close(got, leaf.detach(), rtol=1e-5, atol=1e-7)

    def test_the_match_sees_the_network_that_is_carried(self):
        task = tiny_task(experts=False)
        syn = self.METHOD.initialize(task, 2, at())
        drawn = self.METHOD.outer_loss(syn, task, at(1))[0]
        carried = {"theta": drawn_network(task, at(1))}
        assert torch.equal(drawn, self.METHOD.outer_loss(syn, task, replace(at(1), carried=carried))[0])
        other = self.METHOD.carry(syn, task, replace(at(1), carried=carried))
        assert not torch.equal(drawn, self.METHOD.outer_loss(syn, task, replace(at(1), carried=other))[0])


class TestRealBatches:
    def test_are_of_their_class_without_replacement_and_all_of_a_small_class(self):
        task = tiny_task(experts=False)
        of_class = [task.real.inputs(task.real.train, task.real.train.rows_of_class(label)) for label in range(3)]
        for label, whole in enumerate(of_class):
            some = RandomBatches(per_class=5).draw(task, label, at())
            assert len({image.numpy().tobytes() for image in some}) == 5
            assert {i.numpy().tobytes() for i in some} <= {i.numpy().tobytes() for i in whole}
            every = RandomBatches(per_class=999).draw(task, label, at())
            assert {i.numpy().tobytes() for i in every} == {i.numpy().tobytes() for i in whole}

    def test_depend_on_step_and_class_alone(self):
        task, draws = tiny_task(experts=False), RandomBatches(per_class=5)
        again = draws.draw(task, 1, at(3)), draws.draw(task, 1, at(3))
        assert torch.equal(*again) and not torch.equal(again[0], draws.draw(task, 1, at(4)))


class TestSiameseAugmentation:
    @pytest.mark.parametrize("family", ["color", "crop", "cutout", "flip", "scale", "rotate"])
    def test_one_batch_on_both_sides_stays_equal(self, family):
        policy, image = DSAPolicy(families=(family,)), torch.rand(1, 3, 8, 8)
        batch = image.expand(6, 3, 8, 8)
        view = siamese(policy, 8, stream(5, "siamese"))
        one, other = view(batch), view(batch[:4])
        assert torch.equal(one[:4], other) and all(torch.equal(one[0], seen) for seen in one)
        by_itself = policy.apply(batch, policy.draw(6, 8, stream(6, "siamese")))
        assert not all(torch.equal(by_itself[0], seen) for seen in by_itself)

    def test_every_class_and_step_has_a_draw_of_its_own(self):
        views = [siamese(DSAPolicy(), 8, at(step).stream("augmentation", label)) for step in (0, 1) for label in (0, 1)]
        images = torch.rand(1, 3, 8, 8, generator=stream(0, "images"))
        assert len({view(images).numpy().tobytes() for view in views}) == 4


class TestBatchNorm:
    def test_frozen_it_treats_every_image_by_itself(self):
        network = FlatNetwork(build_network("convnet-d2-w4-bn", ImageShape(1, 8, 3), seed=0)).to("cpu", F64)
        theta = network.flatten() * 1.1
        images = torch.randn(20, 1, 8, 8, dtype=F64, generator=stream(0, "images"))
        frozen = network.with_frozen_norms(theta, images)
        torch.testing.assert_close(frozen(theta, images), network(theta, images), rtol=1e-9, atol=1e-12)
        one, other = (frozen(theta, images[rows])[0] for rows in ([0, 1, 2], [0, 7, 8]))
        assert torch.equal(one, other) and not torch.equal(*(network(theta, images[r])[0] for r in ([0, 1], [0, 2])))

    def test_a_match_with_it_runs_and_reaches_the_images(self):
        task = tiny_task(experts=False)
        network = FlatNetwork(build_network("convnet-d1-w4-bn", task.real.shape, seed=0))
        task = replace(task, network=network, network_name="convnet-d1-w4-bn")
        gradients = []
        for at_once in (1, 3):
            syn = DSA().initialize(task, 2, at())
            images = syn.images.clone().requires_grad_()
            loss, _ = DSA(classes_at_once=at_once).outer_loss(replace(syn, images=images), task, at())
            gradients.append(torch.autograd.grad(loss, images)[0])
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)
        assert gradients[0].abs().max() > 0


MEASURED = """
convnet-d3-w32   dc  2 32 1  18.0
convnet-d3-w32   dc  2 32 4  20.6
convnet-d3-w32   dc 30 30 1  38.4
convnet-d3-w32   dc 30 30 4 152.5
convnet-d3-w128  dc  2  2 2  25.6
convnet-d3-w32   dm  2 32 4  38.6
convnet-d3-w32   dm 30 30 4  66.5
"""
"""Live bytes, in MB, that torch's profiler counts over one step of the loss and its derivative, four classes of 32
pixels (two for the wide network) on a CPU: network, method, synthetic and real images a class, classes side by side."""


@pytest.mark.parametrize("line", MEASURED.strip().splitlines())
def test_the_estimate_of_memory_is_near_what_was_measured(line):
    network, name, ipc, real, at_once, live = line.split()
    shape = ImageShape(3, 32, 2 if network.endswith("w128") else 4)
    settings = {"classes_at_once": int(at_once), "real_batches": {"per_class": int(real)}}
    method = METHODS.get(name).model_validate(settings)
    estimate = method.peak_bytes(Sizes.of(build_network(network, shape, seed=0), shape), int(ipc))
    assert isinstance(estimate, Estimate)
    assert estimate - estimate.parts["set"] == pytest.approx(float(live) * 1e6, rel=0.17)
