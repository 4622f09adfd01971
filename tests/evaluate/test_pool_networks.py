"""Networks of the cross-architecture pools: against torchvision's own, hand counts, sizes, seeds and refusals."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from ddbench.errors import UserError
from ddbench.networks import ImageShape, build_network, canonical_network_name, parameter_count
from ddbench.networks.build import _construct

NAMES = [
    "resnet10-bn",
    "resnet10-ap",
    "resnet10-ap-bn",
    "resnet50-bn",
    "resnet101-bn",
    "densenet-cifar",
    "mobilenet-v2",
    "efficientnet-b0",
    "shufflenet-v2",
]
SMALL = ["resnet10-bn", "resnet10-ap", "densenet-cifar", "mobilenet-v2", "efficientnet-b0", "shufflenet-v2"]
TORCHVISION = {
    "resnet50-bn": (models.resnet50, 7 * 7 - 3 * 3, 64),
    "resnet101-bn": (models.resnet101, 7 * 7 - 3 * 3, 64),
    "mobilenet-v2": (models.mobilenet_v2, 0, 32),
    "efficientnet-b0": (models.efficientnet_b0, 0, 32),
    "shufflenet-v2": (models.shufflenet_v2_x0_5, 0, 24),
}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def block_count(entering, filters):
    """Two 3x3 convolutions and norms, and a 1x1 one with a norm on the shortcut where anything changes."""
    straight = 9 * entering * filters + 9 * filters * filters + 4 * filters
    return straight + (entering * filters + 2 * filters if entering != filters else 0)


@pytest.mark.parametrize(
    ("name", "filters"), [("resnet10-bn", (32, 64, 128, 256)), ("resnet10-ap", (64, 128, 256, 512))]
)
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 28), (3, 64), (3, 128)])
def test_resnet10_by_hand(name, filters, channels, size):
    want = 9 * channels * filters[0] + 2 * filters[0] + filters[-1] * 7 + 7
    entering = (filters[0], *filters[:-1])
    want += sum(block_count(before, after) for before, after in zip(entering, filters, strict=True))
    assert parameter_count(name, channels=channels, size=size, classes=7) == want


def test_beyond_128_pixels_the_stem_of_resnet10_is_7x7():
    for name, filters in (("resnet10-bn", 32), ("resnet10-ap", 64)):
        small, large = (parameter_count(name, channels=3, size=size, classes=10) for size in (128, 224))
        assert large - small == (49 - 9) * 3 * filters


def test_densenet_by_hand():
    want, maps = 9 * 3 * 24 + 2 * 24, 24
    for stage, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            want += 2 * maps + 48 * maps + 2 * 48 + 9 * 48 * 12
            maps += 12
        if stage < 3:
            want += 2 * maps + maps * (maps // 2)
            maps //= 2
    want += 2 * maps + maps * 10 + 10
    assert parameter_count("densenet-cifar", channels=3, size=32, classes=10) == want


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_counts_are_torchvisions_but_for_the_stem(name):
    make, smaller, filters = TORCHVISION[name]
    with torch.device("meta"):
        whole = count(make(num_classes=10))
    assert parameter_count(name, channels=3, size=128, classes=10) == whole
    for size in (28, 32, 64):
        assert parameter_count(name, channels=3, size=size, classes=10) == whole - smaller * 3 * filters
    assert whole - parameter_count(name, channels=1, size=128, classes=10) in (2 * 49 * filters, 2 * 9 * filters)


@pytest.mark.parametrize("name", ["mobilenet-v2", "efficientnet-b0", "shufflenet-v2"])
def test_large_images_see_torchvisions_own_network(name):
    make = TORCHVISION[name][0]
    mine = build_network(name, channels=3, size=128, classes=10, seed=2).eval()
    theirs = make(num_classes=10).eval()
    weights = zip(theirs.state_dict(), mine.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    images = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want = theirs(images)
        assert want.abs().max() > 0
        torch.testing.assert_close(mine(images), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_28_pixels_are_seen_as_32(name):
    small = build_network(name, channels=1, size=28, classes=10, seed=5).eval()
    large = build_network(name, channels=1, size=32, classes=10, seed=5).eval()
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        want = large(nn.functional.pad(images, (2, 2, 2, 2)))
        assert (want[0] != want[1]).any()
        torch.testing.assert_close(small(images), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("resnet10-bn", {28: 4, 32: 4, 64: 8, 128: 8, 224: 7}),
        ("resnet10-ap", {28: 4, 32: 4, 64: 8, 128: 8, 224: 7}),
        ("resnet50-bn", {28: 4, 32: 4, 64: 4, 224: 7}),
        ("resnet101-bn", {32: 4}),
        ("densenet-cifar", {28: 4, 64: 4, 224: 7}),
        ("mobilenet-v2", {28: 2, 32: 2, 64: 2, 224: 7}),
        ("efficientnet-b0", {28: 2, 64: 2, 224: 7}),
        ("shufflenet-v2", {28: 4, 32: 4, 64: 4, 128: 4, 224: 7}),
    ],
)
def test_shapes_and_the_last_maps_of_every_size(name, sides):
    found = {}
    for size in sides:
        channels = 1 if size == 28 else 3
        with torch.device("meta"):
            network = _construct(name, ImageShape(channels, size, 7))
            at = next(i for i, layer in enumerate(network.features) if isinstance(layer, nn.AdaptiveAvgPool2d))
            maps = network.features[:at](torch.zeros(2, channels, size, size))
            features = network.features[at:](maps).flatten(1)
        assert network.classifier(features).shape == (2, 7)
        assert maps.shape[2] == maps.shape[3]
        found[size] = maps.shape[3]
    assert found == sides


@pytest.mark.parametrize("name", NAMES)
def test_norms_are_those_of_the_name(name):
    with torch.device("meta"):
        network = _construct(name, ImageShape(3, 32, 10))
    has_batch_norm = any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert has_batch_norm == (name != "resnet10-ap")
    if "-ap" in name:
        assert {layer.stride for layer in network.modules() if isinstance(layer, nn.Conv2d)} == {(1, 1)}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_a_step_is_finite_and_reaches_every_parameter(name, channels, size):
    network = build_network(name, channels=channels, size=size, classes=10, seed=3)
    images = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1))
    logits = network(images)
    assert (logits[0] != logits[1]).any()
    nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    slopes = [parameter.grad for parameter in network.parameters()]
    assert all(slope is not None and torch.isfinite(slope).all() for slope in slopes)
    assert sum(bool(slope.abs().max() > 0) for slope in slopes) > 0.8 * len(slopes)


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_alone_decides_and_no_global_state_is_touched(name):
    def bits(seed):
        network = build_network(name, channels=1, size=28, classes=10, seed=seed)
        assert network.training
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = bits(0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]
    torch.rand(3)
    assert torch.equal(bits(0), first)
    assert not torch.equal(bits(1), first)


def test_first_weights_are_drawn_as_in_the_source():
    for name, fan in (("resnet10-bn", 9 * 32), ("mobilenet-v2", 9 * 32), ("densenet-cifar", 9 * 3)):
        network = build_network(name, channels=3, size=32, classes=10, seed=0)
        stem = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        assert stem.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.15), name


@pytest.mark.parametrize("name", NAMES)
def test_too_small_images_are_refused(name):
    size = 15 if name.startswith("resnet10-") else 27
    with pytest.raises(UserError, match=f"'{name}' does not take {size}-pixel images") as caught:
        build_network(name, channels=1, size=size, classes=10, seed=0)
    assert caught.value.facts == (f"takes {size + 1} pixels or more",)
    assert canonical_network_name(name.upper()) == name
