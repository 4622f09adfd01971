"""The four teachers of decoupled methods for CIFAR, against their published table: plain loops, counts, shortcuts."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models
from torchvision.ops import StochasticDepth

from ddbench.errors import UserError
from ddbench.networks import build_network, canonical_network_name, parameter_count
from ddbench.randomness import isolated

NAMES = ("resnet18-cifar", "mobilenet-v2-cifar", "efficientnet-b0-cifar", "shufflenet-g2-cifar")
MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
EFFICIENTNET = {
    "blocks": (1, 2, 2, 3, 3, 4, 1),
    "expansion": (1, 6, 6, 6, 6, 6, 6),
    "channels": (16, 24, 40, 80, 112, 192, 320),
    "kernels": (3, 3, 5, 3, 5, 5, 3),
    "strides": (1, 2, 2, 2, 1, 2, 1),
}
SHUFFLENET = ((200, 4), (400, 8), (800, 4))


def blocks_of_efficientnet():
    """Expansion, filters, kernel and stride of every block."""
    for number, expansion, filters, kernel, stride in zip(*EFFICIENTNET.values(), strict=True):
        for block in range(number):
            yield expansion, filters, kernel, stride if block == 0 else 1


def blocks_of_mobilenet():
    for expansion, filters, number, stride in MOBILENET:
        for block in range(number):
            yield expansion, filters, 3, stride if block == 0 else 1


def blocks_of_shufflenet():
    """Filters, and whether the block halves."""
    for filters, number in SHUFFLENET:
        for block in range(number):
            yield filters, block == 0


def count_by_hand(name, channels, classes):
    """What the table's convolutions and norms hold, the classifier's bias included."""
    if name == "resnet18-cifar":
        total = 9 * channels * 64 + 128 + 512 * classes + classes
        for entering, filters in ((64, 64), (64, 128), (128, 256), (256, 512)):
            total += 9 * entering * filters + 3 * 9 * filters**2 + 8 * filters
            total += entering * filters + 2 * filters if entering != filters else 0
        return total
    if name == "shufflenet-g2-cifar":
        total, entering = channels * 24 + 48 + 800 * classes + classes, 24
        for filters, halves in blocks_of_shufflenet():
            made = filters - entering if halves else filters
            hidden = made // 4
            total += entering * hidden // (1 if entering == 24 else 2) + 9 * hidden + hidden * made // 2
            total += 2 * (2 * hidden + made)
            entering = filters
        return total
    blocks = blocks_of_mobilenet() if name.startswith("mobilenet") else blocks_of_efficientnet()
    total, entering = 9 * channels * 32 + 64, 32
    for expansion, filters, kernel, stride in blocks:
        hidden = expansion * entering
        total += kernel**2 * hidden + hidden * filters + 2 * (hidden + filters)
        if name.startswith("mobilenet"):
            total += entering * hidden + 2 * hidden
            total += entering * filters + 2 * filters if stride == 1 and entering != filters else 0
        else:
            squeezed = entering // 4
            total += (entering * hidden + 2 * hidden) if expansion > 1 else 0
            total += 2 * hidden * squeezed + hidden + squeezed
        entering = filters
    if name.startswith("mobilenet"):
        total, entering = total + 320 * 1280 + 2 * 1280, 1280
    return total + entering * classes + classes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "classes"), [(3, 10), (1, 7), (3, 100)])
def test_counts_are_those_of_the_table_at_every_size(name, channels, classes):
    want = count_by_hand(name, channels, classes)
    for size in (32, 64):
        assert parameter_count(name, channels=channels, size=size, classes=classes) == want


def test_counts_as_known_elsewhere():
    counts = {name: parameter_count(name, channels=3, size=32, classes=10) for name in NAMES}
    assert counts == {
        "resnet18-cifar": 11_173_962,
        "mobilenet-v2-cifar": 2_296_922,
        "efficientnet-b0-cifar": 3_599_686 - (32 * 32 + 2 * 32),  # an expansion of the first block, unused there
        "shufflenet-g2-cifar": 887_582,
    }


class Layers:
    """The convolutions and norms of a network in order, each used once."""

    def __init__(self, network):
        self.left = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]

    def __call__(self, maps, stride=1, padding=0, groups=1):
        """A convolution, and the norm that follows it, if one does."""
        conv = self.left.pop(0)
        maps = F.conv2d(maps, conv.weight, conv.bias, stride, padding, 1, groups)
        if self.left and isinstance(self.left[0], nn.BatchNorm2d):
            norm = self.left.pop(0)
            scale = norm.weight / (norm.running_var + 1e-5).sqrt()
            maps = (maps - norm.running_mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)
        return maps


def mobilenet_by_hand(layers, images):
    maps = layers(images, padding=1).relu()
    for expansion, filters, _, stride in blocks_of_mobilenet():
        entering = maps.shape[1]
        branch = layers(maps).relu()
        branch = layers(branch, stride, 1, expansion * entering).relu()
        branch = layers(branch)
        if stride == 1:
            branch = branch + (maps if entering == filters else layers(maps))
        maps = branch
    return layers(maps).relu()


def efficientnet_by_hand(layers, images):
    maps = F.silu(layers(images, padding=1))
    for expansion, filters, kernel, stride in blocks_of_efficientnet():
        entering = maps.shape[1]
        branch = maps if expansion == 1 else F.silu(layers(maps))
        branch = F.silu(layers(branch, stride, kernel // 2, expansion * entering))
        means = branch.mean((2, 3), keepdim=True)
        branch = branch * torch.sigmoid(layers(F.silu(layers(means))))
        branch = layers(branch)
        maps = branch + maps if stride == 1 and entering == filters else branch
    return maps


def shufflenet_by_hand(layers, images):
    maps = layers(images).relu()
    for _, halves in blocks_of_shufflenet():
        groups = 1 if maps.shape[1] == 24 else 2
        branch = layers(maps, groups=groups).relu()
        order = torch.arange(branch.shape[1]).view(groups, -1).t().flatten()
        branch = branch[:, order]
        branch = layers(branch, 2 if halves else 1, 1, branch.shape[1]).relu()
        branch = layers(branch, groups=2)
        maps = torch.cat((branch, F.avg_pool2d(maps, 3, 2, 1)), 1) if halves else branch + maps
        maps = maps.relu()
    return maps


BY_HAND = {
    "mobilenet-v2-cifar": mobilenet_by_hand,
    "efficientnet-b0-cifar": efficientnet_by_hand,
    "shufflenet-g2-cifar": shufflenet_by_hand,
}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("size", [32, 64])
def test_it_is_what_the_table_says_layer_by_layer(name, size):
    network = build_network(name, channels=3, size=size, classes=5, seed=1).double()
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(4, 3, size, size, generator=generator, dtype=torch.float64)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)
            layer.momentum = 1.0
    with isolated(0):
        network(images)  # so that no two norms are alike, as after training
    network.eval()
    with torch.no_grad():
        layers = Layers(network)
        maps = BY_HAND[name](layers, images)
        assert not layers.left
        side = size // (16 if "efficient" in name else 8)
        assert maps.shape[2:] == (side, side)
        features = F.avg_pool2d(maps, side).flatten(1)
        want = features @ network.classifier.weight.T + network.classifier.bias
        assert (want[0] - want[1]).abs().max() > 1e-2
        torch.testing.assert_close(network(images), want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("size", [32, 64])
def test_resnet18_is_torchvisions_with_another_stem(size):
    mine = build_network("resnet18-cifar", channels=3, size=size, classes=10, seed=0).eval()
    theirs = models.resnet18(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), mine.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mine(images), theirs.eval()(images))
    assert mine(images).abs().max() > 0


def test_resnet18_bn_is_the_same_up_to_63_pixels_alone():
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for size, same in ((32, True), (64, False)):
        mine, other = (
            build_network(name, channels=3, size=size, classes=10, seed=0).eval() for name in (NAMES[0], "resnet18-bn")
        )
        assert [t.shape for t in mine.state_dict().values()] == [t.shape for t in other.state_dict().values()]
        other.load_state_dict(dict(zip(other.state_dict(), mine.state_dict().values(), strict=True)))
        seen = images[..., :size, :size]
        assert torch.allclose(mine(seen), other(seen), atol=1e-5) == same


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_one_step_moves_every_parameter_and_every_norm_sees_every_image(name, channels, size):
    network = build_network(name, channels=channels, size=size, classes=10, seed=3)
    seen = dict.fromkeys((layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)), 0)
    for layer in seen:
        layer.register_forward_hook(lambda layer, given, made: seen.update({layer: seen[layer] + len(given[0])}))
    images = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    loss = F.cross_entropy(network(images), torch.arange(4))
    loss.backward()
    optimizer.step()
    assert set(seen.values()) == {4}
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    moved = [not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True)]
    assert sum(moved) > 0.98 * len(moved)  # a branch that was left out of all four images stays


def test_branches_are_left_out_more_often_towards_the_end():
    network = build_network("efficientnet-b0-cifar", channels=3, size=32, classes=10, seed=0)
    rates = [layer.p for layer in network.modules() if isinstance(layer, StochasticDepth)]
    whole, entering = [], 32
    for number, (_, filters, _, stride) in enumerate(blocks_of_efficientnet()):
        whole += [0.2 * number / 16] if stride == 1 and entering == filters else []
        entering = filters
    assert rates == pytest.approx(whole) and len(rates) == 9
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.2]


@pytest.mark.parametrize("name", NAMES)
def test_28_pixels_are_seen_as_32_and_gradients_reach_the_images(name):
    small = build_network(name, channels=1, size=28, classes=10, seed=5).eval()
    large = build_network(name, channels=1, size=32, classes=10, seed=5).eval()
    large.load_state_dict(small.state_dict())
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(2), requires_grad=True)
    said = small(images)
    torch.testing.assert_close(said, large(F.pad(images, (2, 2, 2, 2))), rtol=1e-4, atol=1e-5)
    (slope,) = torch.autograd.grad(said.square().sum(), images)
    assert slope.abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_names_and_sizes(name):
    assert canonical_network_name(name.upper()) == name
    with pytest.raises(UserError, match=f"'{name}' does not take 27-pixel images") as caught:
        build_network(name, channels=1, size=27, classes=10, seed=0)
    assert caught.value.facts == ("takes 28 pixels or more",)
