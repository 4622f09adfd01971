"""Distribution matching (DM): a distance that vanishes for equal batches, learning rates, memory, a run that learns."""

from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.trained_task import planted_real
from torch.nn import functional as F

from ddbench.data.realset import Split
from ddbench.distillation.outer_loop import optimize
from ddbench.errors import UserError
from ddbench.estimates.model_size import Sizes
from ddbench.methods import DM
from ddbench.methods.class_matching import AT_ONCE_BYTES
from ddbench.methods.parts.class_match import MeanEmbedding
from ddbench.methods.parts.initialization import NoiseInit
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream
from ddbench.synthetic.synthetic_set import load_synthetic

F64 = torch.float64


def network_and_images(ipc=4):
    network = FlatNetwork(build_network("convnet-d1-w4", ImageShape(1, 8, 3), seed=0)).to("cpu", F64)
    images = torch.randn(3, ipc, 1, 8, 8, generator=stream(0, "images"), dtype=F64)
    return network, network.flatten(), images


class TestMeanEmbedding:
    def test_equal_batches_have_no_loss_and_no_derivative(self):
        network, theta, images = network_and_images()
        leaf = images.clone().requires_grad_()
        loss = MeanEmbedding().loss(network, theta, list(images), leaf, [0, 1, 2])
        (derivative,) = torch.autograd.grad(loss, leaf)
        assert loss.item() == 0 and derivative.abs().max() == 0

    def test_the_order_of_a_batch_does_not_count(self):
        network, theta, images = network_and_images()
        real = [torch.randn(5, 1, 8, 8, generator=stream(label, "real"), dtype=F64) for label in range(3)]
        one, other = (MeanEmbedding().loss(network, theta, real, x, [0, 1, 2]) for x in (images, images.flip(1)))
        assert one.item() == pytest.approx(other.item(), rel=1e-12) and one > 0

    def test_is_the_distance_of_means_and_its_derivative_that_of_differences(self):
        network, theta, images = network_and_images(ipc=2)
        real = [torch.randn(3 + label, 1, 8, 8, generator=stream(label, "real"), dtype=F64) for label in range(3)]

        def loss(x):
            return MeanEmbedding().loss(network, theta, real, x, [0, 1, 2])

        want = sum(
            (network.embed(theta, batch).mean(0) - network.embed(theta, of_class).mean(0)).square().sum()
            for batch, of_class in zip(real, images, strict=True)
        )
        torch.testing.assert_close(loss(images), want, rtol=1e-12, atol=0)
        leaf, way = images.clone().requires_grad_(), torch.randn(images.shape, generator=stream(1, "way"), dtype=F64)
        (derivative,) = torch.autograd.grad(loss(leaf), leaf)
        difference = (loss(images + 1e-6 * way) - loss(images - 1e-6 * way)) / 2e-6
        assert (derivative * way).sum().item() == pytest.approx(difference.item(), rel=1e-6)

    def test_what_is_embedded_enters_the_last_linear_layer(self):
        network, theta, images = network_and_images()
        features = network.embed(theta, images[0])
        parameters = network.unflatten(theta)
        weight, bias = parameters["classifier.weight"], parameters["classifier.bias"]
        torch.testing.assert_close(F.linear(features, weight, bias), network(theta, images[0]), rtol=1e-12, atol=0)


class TestSettings:
    @pytest.mark.parametrize(("ipc", "rate"), [(1, 1), (10, 1), (50, 1), (51, 1), (100, 10), (200, 10), (1250, 10)])
    def test_the_published_learning_rates(self, ipc, rate):
        filled = DM().for_ipc(ipc)
        assert (filled.image_lr, filled.iterations, filled.image_steps) == (rate, 20001, 1)
        assert DM(image_lr=3).for_ipc(ipc).image_lr == 3

    def test_defaults_are_those_published(self):
        method = DM()
        assert (method.init.kind, method.augmentation, method.outer_momentum) == ("real", "dsa", 0.5)
        assert method.real_batches.per_class == 256 and method.carry.__self__.loop(10) == (1, 1)

    def test_several_steps_for_a_network_go_with_it(self):
        task, method = tiny_task(experts=False), DM(image_steps=2)
        syn = method.initialize(task, 1, at())
        assert set(method.carry(syn, task, at())) == {"theta"} and DM().carry(syn, task, at()) == {}

    def test_batch_norm_needs_all_classes_together(self):
        task = tiny_task(experts=False)
        network = FlatNetwork(build_network("convnet-d1-w4-bn", task.real.shape, seed=0))
        task = replace(task, network=network, network_name="convnet-d1-w4-bn")
        with pytest.raises(UserError, match="batch norm sees the images of all classes together"):
            DM(classes_at_once=2).initialize(task, 1, at())
        syn = DM().initialize(task, 1, at())
        assert DM().outer_loss(syn, task, at())[0] > 0


class TestMemory:
    SIZES = Sizes(parameters=320010, activations=561152, shape=ImageShape(3, 32, 100))

    def test_grows_with_the_classes_side_by_side_and_is_bounded_where_nobody_says(self):
        one, ten = (DM(classes_at_once=count).peak_bytes(self.SIZES, 10) for count in (1, 10))
        assert 5 * one < ten < 10 * one and DM().peak_bytes(self.SIZES, 10) < 1.1 * AT_ONCE_BYTES

    def test_fewer_classes_are_suggested_and_are_the_same_run(self):
        method = DM(classes_at_once=10)
        fits = DM(classes_at_once=3).peak_bytes(self.SIZES, 10)
        (help_,) = method.memory_suggestions(self.SIZES, 10, fits)
        assert (help_.how, help_.bytes) == ("-o method.classes_at_once=3", fits)
        assert method.defining_settings() == DM().defining_settings()
        tight = method.memory_suggestions(self.SIZES, 10, 1000)
        assert [help_.how for help_ in tight] == [
            "-o method.classes_at_once=1",
            "-o method.real_batches.per_class=64",
        ]


class Logistic(torch.nn.Module):
    """Logistic regression: the embedding is the image itself."""

    def __init__(self):
        super().__init__()
        self.classifier = torch.nn.Linear(64, 2)

    def forward(self, images):
        return self.classifier(images.flatten(1))


def accuracy_of(images, labels, real):
    """Of a logistic regression trained on a set, on the test images."""
    network = Logistic()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    test = real.inputs(real.test)
    return (network(test).argmax(1) == real.test.labels).float().mean().item()


def test_a_short_run_learns_two_blobs_and_repeats_to_the_bit(tmp_path):
    generator = stream(0, "blobs")

    def blobs(count):
        labels = torch.arange(count) % 2
        pixels = 128 + 40 * torch.randn(count, 1, 8, 8, generator=generator)
        pixels[labels == 1, :, :4] += 50
        return Split(pixels.clamp(0, 255).to(torch.uint8), labels)

    real = replace(planted_real(), train=blobs(120), test=blobs(200), validation=blobs(2), class_names=("a", "b"))
    network = FlatNetwork(build_network("mlp", real.shape, seed=0))
    task = replace(tiny_task(experts=False), real=real, network=network, network_name="mlp")
    method = DM(init=NoiseInit(), augmentation="none", iterations=20, keep_every=20, image_lr=2.0)
    one, other = (load_synthetic(optimize(method, task, 1, tmp_path / name, seed=1)[-1]) for name in "ab")
    assert torch.equal(one.images, other.images)
    start = method.initialize(task, 1, at(0, 1))
    before, after = (accuracy_of(syn.images, syn.labels, real) for syn in (start, one))
    assert after > before + 0.1 and after > 0.7
