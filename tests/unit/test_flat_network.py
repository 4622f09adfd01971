"""The flat view against the module itself, in float64; under every transform that unrolls use; and its refusals."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import grad, vjp, vmap
from torch.nn import functional as F

from ddbench.errors import UserError
from ddbench.networks import FlatNetwork, build_network, flatten_parameters, initial_parameters

NAMES = ["convnet-d2-w8", "convnet-d1-w4-bn-sigmoid-maxpool", "convnet-d1-w4-ln-leakyrelu-nopool", "mlp"]


def problem(name, seed=0, batch=6):
    network = build_network(name, channels=1, size=8, classes=5, seed=seed).double()
    rng = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 1, 8, 8, generator=rng, dtype=torch.float64)
    labels = torch.randint(5, (batch,), generator=rng)
    return network, FlatNetwork(network), images, labels


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def modules_gradient(network, images, labels):
    grads = torch.autograd.grad(F.cross_entropy(network(images), labels), list(network.parameters()))
    return torch.cat([one.flatten() for one in grads])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_values_and_gradients_are_the_modules_own(name, seed):
    network, flat, images, labels = problem(name, seed)
    theta = flat.flatten()
    torch.testing.assert_close(flat(theta, images), network(images), rtol=1e-12, atol=1e-14)
    want = modules_gradient(network, images, labels)
    assert want.abs().max() > 0

    def loss(theta):
        return F.cross_entropy(flat(theta, images), labels)

    torch.testing.assert_close(grad(loss)(theta), want, rtol=1e-10, atol=1e-13)
    leaf = theta.clone().requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(loss(leaf), leaf)[0], want, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_autograd_and_functional_second_derivatives_agree(name):
    _, flat, images, labels = problem(name)
    theta, direction = flat.flatten(), normal(flat.size, dtype=torch.float64)

    def slope(theta, images):
        return grad(lambda at: F.cross_entropy(flat(at, images), labels))(theta)

    got = vjp(slope, theta, images)[1](direction)
    at, seen = theta.clone().requires_grad_(), images.clone().requires_grad_()
    (first,) = torch.autograd.grad(F.cross_entropy(flat(at, seen), labels), at, create_graph=True)
    want = torch.autograd.grad(first, (at, seen), direction)
    for mine, theirs in zip(got, want, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-13)


def test_gradcheck_of_the_second_derivative():
    flat = FlatNetwork(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double())
    theta = normal(flat.size, dtype=torch.float64).requires_grad_()
    inputs = normal(2, 3, seed=1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda theta, inputs: flat(theta, inputs).sin().sum(), (theta, inputs))


@pytest.mark.parametrize("name", NAMES)
def test_many_networks_at_once_under_vmap(name):
    _, flat, images, labels = problem(name)
    thetas = torch.stack([flat.flatten(build_network(name, channels=1, size=8, classes=5, seed=s)) for s in range(3)])
    thetas = thetas.double()

    def slope(theta):
        return grad(lambda at: F.cross_entropy(flat(at, images), labels))(theta)

    want = torch.stack([slope(theta) for theta in thetas])
    assert want.abs().max() > 0
    torch.testing.assert_close(vmap(slope)(thetas), want, rtol=1e-9, atol=1e-13)


def test_the_step_compiles_as_one_graph():
    _, flat, images, labels = problem("convnet-d1-w4")
    theta = flat.flatten()

    def step(theta, images):
        return theta - 0.1 * grad(lambda at: F.cross_entropy(flat(at, images), labels))(theta)

    compiled = torch.compile(step, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(theta, images), step(theta, images), rtol=1e-12, atol=1e-14)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_flat_and_dictionary_are_two_views_of_the_same(seed):
    _, flat, _, _ = problem("convnet-d2-w8")
    theta = normal(flat.size, seed=seed)
    named = flat.unflatten(theta)
    assert tuple(named) == flat.names
    assert tuple(part.shape for part in named.values()) == flat.shapes
    assert torch.equal(torch.cat([part.flatten() for part in named.values()]), theta)
    assert all(part.untyped_storage().data_ptr() == theta.untyped_storage().data_ptr() for part in named.values())


def test_order_is_that_of_the_modules_parameters():
    network, flat, _, _ = problem("convnet-d2-w8")
    assert flat.names == tuple(name for name, _ in network.named_parameters())
    assert flat.size == sum(parameter.numel() for parameter in network.parameters())


def test_a_snapshot_never_aliases():
    network = build_network("convnet-d1-w4", channels=1, size=8, classes=5, seed=0)
    flat = FlatNetwork(network)
    before, own = flatten_parameters(network), flat.flatten()
    kept = before.clone()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
        for parameter in flat.module.parameters():
            parameter.add_(2)
    assert torch.equal(before, kept)
    assert torch.equal(own, kept)
    torch.testing.assert_close(flat.flatten(network), kept + 1)
    torch.testing.assert_close(flat.flatten(), kept + 2)
    single = nn.Linear(1, 3, bias=False)
    snapshot = FlatNetwork(single).flatten(single)
    assert snapshot.untyped_storage().data_ptr() != single.weight.untyped_storage().data_ptr()
    assert not snapshot.requires_grad


def test_initial_parameters_are_those_of_the_built_network():
    arguments = {"channels": 1, "size": 8, "classes": 5, "seed": 4}
    want = flatten_parameters(build_network("convnet-d1-w4", **arguments))
    assert torch.equal(initial_parameters("convnet-d1-w4", **arguments), want)


def test_another_modules_parameters_are_refused():
    flat = FlatNetwork(build_network("convnet-d1-w4", channels=1, size=8, classes=5, seed=0))
    with pytest.raises(ValueError, match="differ in name, order or shape"):
        flat.flatten(build_network("convnet-d1-w8", channels=1, size=8, classes=5, seed=0))


def test_to_changes_the_dtype_of_a_copy():
    flat = FlatNetwork(WithConstant())
    double = flat.to(torch.float64)
    assert double.flatten().dtype == torch.float64
    assert flat.flatten().dtype == torch.float32
    inputs = normal(2, 3, dtype=torch.float64)
    assert double(double.flatten(), inputs).dtype == torch.float64
    torch.testing.assert_close(double.flatten().float(), flat.flatten())


def test_to_moves_a_copy_to_a_device(device):
    _, flat, images, _ = problem("convnet-d2-w8")
    moved = flat.to(device)
    theta = moved.flatten()
    assert theta.device.type == device.type
    torch.testing.assert_close(
        moved(theta, images.to(device)).cpu(), flat(flat.flatten(), images), rtol=1e-8, atol=1e-10
    )


class WithConstant(nn.Module):
    """A linear layer on shifted inputs; the shift is a buffer that never changes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("shift", torch.arange(3.0))

    def forward(self, inputs):
        return self.linear(inputs + self.shift)


def test_constant_buffers_are_kept():
    module = WithConstant()
    flat = FlatNetwork(module)
    inputs = normal(2, 3)
    assert flat.names == ("linear.weight", "linear.bias")
    torch.testing.assert_close(flat(flat.flatten(), inputs), module(inputs))


def test_tied_parameters_lie_in_the_vector_once():
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    module[2].weight = module[0].weight
    flat = FlatNetwork(module)
    theta = normal(flat.size)
    first, bias, last = (flat.unflatten(theta)[name] for name in ("0.weight", "0.bias", "2.bias"))
    inputs = normal(2, 3)
    assert flat.size == 9 + 3 + 3
    torch.testing.assert_close(flat(theta, inputs), F.linear(F.linear(inputs, first, bias).tanh(), first, last))


def test_batch_norm_uses_its_batch_and_leaves_the_original_alone():
    network = build_network("convnet-d1-w4-bn", channels=1, size=8, classes=5, seed=0)
    flat = FlatNetwork(network)
    images = normal(6, 1, 8, 8)
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    assert buffers
    got = flat(flat.flatten(), images)
    flat(flat.flatten(), images + 3)
    assert torch.equal(flat(flat.flatten(), images), got)
    assert not dict(flat.module.named_buffers())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in network.named_buffers())
    torch.testing.assert_close(got, network(images))
    assert network.features[1].track_running_stats


class DropPath(nn.Module):
    """A stand-in for the stochastic depth of several libraries: known by its name and its rate."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, inputs):
        return inputs


def frozen():
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    module[1].bias.requires_grad_(False)
    return module


def mixed():
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2).double())


def whole_numbers():
    module = nn.Sequential(nn.Linear(3, 2))
    module.count = nn.Parameter(torch.ones(3, dtype=torch.int64), requires_grad=False)
    return module


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval(),
            "layer 1 .BatchNorm2d. normalizes by running",
        ),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1)), "layer 1 .Dropout. drops at random in train mode"),
        (lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout2d(0.1)), "drops at random"),
        (lambda: nn.Sequential(nn.Linear(3, 2), DropPath(0.2)), "layer 1 .DropPath. drops at random"),
        (lambda: nn.MultiheadAttention(4, 2, dropout=0.1), "layer itself .MultiheadAttention. drops at random"),
        (frozen, "parameter 1.bias needs no gradient"),
        (mixed, "several dtypes"),
        (whole_numbers, "parameter count is torch.int64"),
        (nn.ReLU, "it has no parameters"),
        (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)), "changes its buffers at every call"),
    ],
)
def test_what_can_not_be_a_student_says_why(make, why):
    with pytest.raises(UserError, match=why) as caught:
        FlatNetwork(make())
    assert "can not be a student" in caught.value.problem
    assert caught.value.fix


def test_switched_off_randomness_is_no_obstacle():
    for module in (
        nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.0), DropPath(0.0)),
        nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval(),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)).eval(),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.InstanceNorm2d(2, track_running_stats=True)),
    ):
        assert FlatNetwork(module).size > 0
