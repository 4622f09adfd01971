"""Networks by name: counts, shapes, forms for each size, names, and the untouched global random state."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ddbench.errors import UserError
from ddbench.networks import (
    build_network,
    canonical_network_name,
    network_names,
    network_table,
    parameter_count,
)
from ddbench.networks.names import ACTIVATIONS, DEPTHS, FIXED, NORMS, POOLINGS, ConvNetSpec, parse_convnet

SPECS = st.builds(
    ConvNetSpec,
    depth=st.sampled_from(DEPTHS),
    width=st.sampled_from([4, 12, 32, 128, 1024]),
    norm=st.sampled_from(NORMS),
    activation=st.sampled_from(ACTIVATIONS),
    pooling=st.sampled_from(POOLINGS),
)


def see(name, channels, size, classes=10, batch=2):
    network = build_network(name, channels=channels, size=size, classes=classes, seed=3)
    images = torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(1))
    return network, network(images)


@pytest.mark.parametrize(
    ("name", "size", "classes", "count"),
    [
        ("convnet-d3", 32, 10, 320_010),
        ("convnet-d3", 32, 100, 504_420),
        ("convnet-d4", 64, 200, 857_160),
        ("convnet-d5", 128, 10, 615_690),
        ("convnet-d4", 64, 1000, 2_496_360),
        ("mlp", 32, 10, 3072 * 128 + 128 + 128 * 128 + 128 + 1290),
        ("lenet", 32, 10, 62_006),
        ("alexnet", 32, 10, 1_872_202),
        ("vgg11", 32, 10, 9_231_114),
        ("resnet18", 32, 10, 11_173_962),
        ("resnet18-bn", 32, 10, 11_173_962),
        ("resnet18-ap", 32, 10, 11_173_962 + 10 * 512 * 15),
    ],
)
def test_parameter_counts(name, size, classes, count):
    assert parameter_count(name, channels=3, size=size, classes=classes) == count


def test_the_spec_counts_hold_for_what_is_built():
    network = build_network("convnet-d3", channels=3, size=32, classes=10, seed=0)
    assert sum(parameter.numel() for parameter in network.parameters()) == 320_010


@settings(max_examples=25, deadline=None)
@given(spec=SPECS.filter(lambda spec: spec.width <= 32), channels=st.sampled_from([1, 3]), size=st.integers(8, 40))
def test_every_axis_of_the_convnet_gives_logits_or_says_why(spec, channels, size):
    side = 32 if size == 28 else size
    if spec.pooling != "nopool" and side >> spec.depth == 0:
        with pytest.raises(UserError, match="too deep") as caught:
            build_network(spec.name, channels=channels, size=size, classes=5, seed=0)
        fits = int(caught.value.fix.split("depth d")[1].split()[0])
        assert side >> fits == 1
        return
    network, logits = see(spec.name, channels, size, classes=5)
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()
    if spec.norm != "nonorm":  # without a norm a few narrow layers of ReLU may all be dead
        assert (logits[0] != logits[1]).any()
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) == spec.depth


def test_the_deepest_convnet_takes_128_pixels():
    network, logits = see("convnet-d5-w8", 3, 128)
    assert logits.shape == (2, 10)
    assert network.classifier.in_features == 8 * 4 * 4


def test_norms_are_those_of_the_spec():
    def norm(name):
        layers = build_network(name, channels=3, size=16, classes=4, seed=0).features
        return layers[1]

    instance, group, layer = norm("convnet-d1-w8"), norm("convnet-d1-w8-gn"), norm("convnet-d1-w8-ln")
    assert (instance.num_groups, instance.num_channels, instance.eps, instance.affine) == (8, 8, 1e-5, True)
    assert (group.num_groups, group.affine) == (4, True)
    assert layer.normalized_shape == (8, 16, 16)
    assert isinstance(norm("convnet-d1-w8-bn"), nn.BatchNorm2d)
    assert isinstance(norm("convnet-d1-w8-nonorm"), nn.ReLU)
    leaky = build_network("convnet-d1-leakyrelu", channels=3, size=8, classes=4, seed=0).features[2]
    assert leaky.negative_slope == 0.01


@pytest.mark.parametrize("name", ["convnet-d3-w8", "lenet", "alexnet", "vgg11", "resnet18"])
def test_28_pixels_are_seen_as_32(name):
    small = build_network(name, channels=1, size=28, classes=10, seed=5).eval()
    large = build_network(name, channels=1, size=32, classes=10, seed=5).eval()
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    want = large(nn.functional.pad(images, (2, 2, 2, 2)))
    assert want.abs().max() > 0
    torch.testing.assert_close(small(images), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_the_form_for_64_pixels_has_the_classifier_of_32(name):
    small = parameter_count(name, channels=3, size=32, classes=10)
    large = parameter_count(name, channels=3, size=64, classes=10)
    assert large - small == (3 * (64**2 - 32**2) * 128 if name == "mlp" else 0)


@pytest.mark.parametrize("name", ["mlp", "lenet", "alexnet-bn", "vgg11-bn", "resnet18-bn", "resnet18-ap"])
@pytest.mark.parametrize("size", [32, 64])
def test_fixed_networks_give_logits(name, size):
    network, logits = see(name, 3, size)
    assert logits.shape == (2, 10)
    assert (logits[0] != logits[1]).any()
    assert network.embed(torch.zeros(2, 3, size, size)).shape == (2, network.classifier.in_features)
    has_batch_norm = any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert has_batch_norm == name.endswith("-bn")


def test_ap_has_no_stride_but_in_pooling():
    for size in (32, 64):
        network = build_network("resnet18-ap", channels=3, size=size, classes=10, seed=0)
        assert {layer.stride for layer in network.modules() if isinstance(layer, nn.Conv2d)} == {(1, 1)}


@pytest.mark.parametrize("name", sorted(set(FIXED) - {"mlp"}))
def test_a_size_without_a_form_is_refused(name):
    with pytest.raises(UserError, match=f"'{name}' does not take 8-pixel images") as caught:
        build_network(name, channels=1, size=8, classes=10, seed=0)
    assert "takes" in caught.value.facts[0]


def test_senseless_numbers_are_refused():
    with pytest.raises(UserError, match="classes of at least 1, not 0"):
        build_network("mlp", channels=3, size=32, classes=0, seed=0)


@settings(max_examples=25, deadline=None)
@given(spec=SPECS)
def test_canonical_names_round_trip(spec):
    assert parse_convnet(spec.name) == spec
    assert canonical_network_name(spec.name) == spec.name


@settings(max_examples=25, deadline=None)
@given(spec=SPECS, data=st.data())
def test_any_order_and_spelt_out_defaults_have_one_canonical_name(spec, data):
    tokens = [f"d{spec.depth}", f"w{spec.width}", spec.norm, spec.activation, spec.pooling]
    written = "-".join(["ConvNet", *data.draw(st.permutations(tokens))])
    assert canonical_network_name(written) == spec.name


def test_canonical_examples():
    assert canonical_network_name("convnet") == "convnet-d3"
    assert canonical_network_name("convnet-d3-w128-in-relu-avgpool") == "convnet-d3"
    name = "convnet-d2-w32-bn-sigmoid-maxpool"
    assert canonical_network_name(name) == name
    assert canonical_network_name("ResNet18-AP") == "resnet18-ap"


@pytest.mark.parametrize(
    ("name", "message", "fix"),
    [
        ("resnet81", "no network 'resnet81'", "did you mean 'resnet18'?"),
        ("convnet-d9", "no convnet axis 'd9'", "did you mean"),
        ("convnet-d3-w0", "no convnet axis 'w0'", ""),
        ("convnet-d3-w9999", "no convnet axis 'w9999'", ""),
        ("convnet-d3-sigmod", "no convnet axis 'sigmod'", "did you mean 'sigmoid'?"),
        ("convnet-d3-bn-ln", "gives its norm twice", "keep one of 'bn' and 'ln'"),
        ("convnet-d3-w30-gn", "4 groups do not divide the width 30", "choose w32"),
        ("torchvison:resnet18", "no network 'torchvison:resnet18'", "did you mean 'torchvision:NAME'?"),
    ],
)
def test_wrong_names_say_what_is_near(name, message, fix):
    with pytest.raises(UserError, match=message) as caught:
        canonical_network_name(name, "a.yaml, line 7")
    assert "from  a.yaml, line 7" in caught.value.facts
    assert fix in caught.value.fix


def test_names_are_checked_without_torch():
    code = (
        "import sys, ddbench.networks as n; n.canonical_network_name('convnet-d2'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_table_lists_every_network_once():
    table = network_table()
    names = [row["name"] for row in table]
    assert names == [*network_names(), "torchvision:NAME", "timm:NAME"]
    assert all(canonical_network_name(name) == name for name in network_names())
    assert {row["name"]: row["parameters"] for row in table}["convnet-d3"] == 320_010
    assert all(row["note"] for row in table)


@pytest.mark.parametrize("name", ["convnet-d2-w8", "lenet", "timm:test_resnet", "torchvision:shufflenet_v2_x0_5"])
def test_construction_depends_on_the_seed_alone_and_touches_no_global_state(name):
    def bits(seed):
        network = build_network(name, channels=3, size=32, classes=10, seed=seed)
        assert network.training
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    first = bits(0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True))
    assert random.getstate() == python_state
    torch.rand(3)
    assert torch.equal(bits(0), first)
    assert not torch.equal(bits(1), first)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["torchvision:shufflenet_v2_x0_5", "timm:test_vit", "timm:test_resnet"])
def test_models_of_other_libraries_fit_the_images(name, channels):
    network, logits = see(name, channels, 32, classes=7)
    assert logits.shape == (2, 7)
    assert network.training
    assert canonical_network_name(name) == name


def test_wrong_names_and_sizes_of_other_libraries():
    with pytest.raises(UserError, match="no network 'timm:resnet10'") as caught:
        canonical_network_name("timm:resnet10")
    assert caught.value.fix == "did you mean 'timm:resnet10t'?"
    assert sum(len(fact) for fact in caught.value.facts) < 300
    with pytest.raises(UserError, match="no network 'torchvision:zzzz'"):
        canonical_network_name("torchvision:zzzz")
    with pytest.raises(UserError, match="'torchvision:alexnet' does not take 32-pixel images of 3 channels"):
        build_network("torchvision:alexnet", channels=3, size=32, classes=10, seed=0)
