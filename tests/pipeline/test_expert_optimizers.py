"""The experts' optimizers against oracles in float64: torch's SGD, and formulas written out on explicit gradients."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from helpers.command_line import changed
from helpers.expert_data import tiny_recipe
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from ddbench.expert_buffers.batches import expert_batch
from ddbench.expert_buffers.gsam import gap_direction, perturbation
from ddbench.expert_buffers.optimizers import ExpertOptimizer, ExpertState, expert_optimizer
from ddbench.expert_buffers.smooth import gradient_penalty
from ddbench.networks import flatten_parameters
from ddbench.randomness import isolated, stream

KINDS: list[dict[str, Any]] = [{"kind": "sgd"}, {"kind": "gsam", "rho": 0.1}, {"kind": "smooth"}]
assert_close = partial(torch.testing.assert_close, rtol=1e-11, atol=1e-13)


def small_network(seed: int, batch_norm: bool = False) -> nn.Sequential:
    """Two channels of 4 x 4 pixels to three classes, float64; smooth, so that gradients vary with everything."""
    norm = nn.BatchNorm2d(3) if batch_norm else nn.GroupNorm(3, 3)
    with isolated(seed):
        layers = nn.Conv2d(2, 3, 3, padding=1), norm, nn.Softplus(), nn.Flatten(), nn.Linear(48, 3)
        return nn.Sequential(*layers).double()


def updated(optimizer: ExpertOptimizer, batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and logits of an update on inputs, labels, and images in the place of the inputs before augmentation."""
    return optimizer.update(expert_batch(*batch))


def drawn_batches(seed: int, count: int, batch: int = 5) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What an update is given: inputs, labels, and other images in the place of the inputs before augmentation."""
    generator = stream(seed, "batches")
    draw = lambda: torch.randn(batch, 2, 4, 4, dtype=torch.float64, generator=generator)  # noqa: E731
    return [(draw(), torch.randint(0, 3, (batch,), generator=generator), draw()) for _ in range(count)]


def trained(network: nn.Module, batches, *, epoch: int = 0, **recipe) -> tuple[nn.Module, list[torch.Tensor]]:
    """A copy of the network after one update a batch by a recipe's optimizer, and the losses that were returned."""
    network = copy.deepcopy(network)
    optimizer = expert_optimizer(network, tiny_recipe(**recipe))
    optimizer.begin_epoch(epoch)
    return network, [updated(optimizer, batch)[0] for batch in batches]


def by_torch(network: nn.Module, batches, **options) -> nn.Module:
    """The same by ``torch.optim.SGD`` on the cross-entropy."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), **options)
    for inputs, labels, _ in batches:
        optimizer.zero_grad()
        cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return network


def assert_same_move(got: nn.Module, want: nn.Module, start: nn.Module, **close: Any) -> None:
    """Parameters moved, and by the same: standing still can not pass."""
    a, b, c = (flatten_parameters(network) for network in (got, want, start))
    assert (b - c).norm() > 1e-3
    assert_close(a - c, b - c, **close)


def gradients(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(cross_entropy(network(inputs), labels), list(network.parameters())))


def slopes(value: torch.Tensor, network: nn.Module) -> tuple[torch.Tensor, ...]:
    """By each parameter, zero where the value does not depend on it, as it does not on the last bias."""
    return torch.autograd.grad(value, list(network.parameters()), allow_unused=True, materialize_grads=True)


def norm(tensors) -> float:
    """Of all numbers of all tensors, by a loop over them."""
    return sum(float((tensor**2).sum()) for tensor in tensors) ** 0.5


def inner(first, second) -> float:
    return sum(float((a * b).sum()) for a, b in zip(first, second, strict=True))


def gsam_by_hand(network, batch, rho, alpha, adaptive, lr) -> nn.Module:
    """One step as the released code takes it, tensor by tensor."""
    network, moved = copy.deepcopy(network), copy.deepcopy(network)
    inputs, labels, _ = batch
    g = gradients(network, inputs, labels)
    weights = [p.detach() for p in network.parameters()]
    length = norm([w.abs() * d for w, d in zip(weights, g, strict=True)] if adaptive else g) + 1e-12
    with torch.no_grad():
        for p, w, d in zip(moved.parameters(), weights, g, strict=True):
            p.add_(rho * (w**2 * d if adaptive else d) / length)
    gp = gradients(moved, inputs, labels)
    cosine = inner(g, gp) / (norm(g) * norm(gp) + 1e-12)
    with torch.no_grad():
        for p, d, dp in zip(network.parameters(), g, gp, strict=True):
            orthogonal = d - cosine * norm(g) * dp / (norm(gp) + 1e-12)
            p.sub_(lr * (dp - alpha * orthogonal))
    return network


class TestGsam:
    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 9999), st.floats(0.01, 1), st.floats(0, 1.5), st.booleans(), st.booleans())
    def test_a_step_is_that_of_the_formula(self, seed, rho, alpha, adaptive, batch_norm):
        start, (batch,) = small_network(seed, batch_norm), drawn_batches(seed, 1)
        optimizer = {"kind": "gsam", "rho": rho, "alpha": alpha, "adaptive": adaptive}
        got, (loss,) = trained(start, [batch], optimizer=optimizer, lr=0.3)
        want = gsam_by_hand(start, batch, rho, alpha, adaptive, lr=0.3)
        assert_same_move(got, want, start, rtol=1e-8, atol=1e-11)
        torch.testing.assert_close(loss, cross_entropy(start(batch[0]), batch[1]).detach())
        plain = by_torch(start, [batch], lr=0.3)
        assert any(
            not torch.allclose(a, b, rtol=1e-11, atol=1e-13)
            for a, b in zip(got.parameters(), plain.parameters(), strict=True)
        )

    @settings(deadline=None, max_examples=20)
    @given(st.integers(0, 9999), st.sampled_from([0.0, 0.9]), st.sampled_from([0.0, 0.01]), st.booleans())
    def test_without_a_perturbation_it_is_sgd(self, seed, momentum, weight_decay, adaptive):
        start, batches = small_network(seed, batch_norm=True), drawn_batches(seed, 4)
        options = {"lr": 0.2, "momentum": momentum, "weight_decay": weight_decay}
        optimizer = {"kind": "gsam", "rho": 0.0, "alpha": 0.7, "adaptive": adaptive}
        got, _ = trained(start, batches, optimizer=optimizer, **options)
        assert_same_move(got, by_torch(start, batches, **options), start)

    def test_without_the_ascent_it_is_adaptive_sam(self):
        start, (batch,) = small_network(1), drawn_batches(1, 1)
        got, _ = trained(start, [batch], optimizer={"kind": "gsam", "rho": 0.5, "alpha": 0.0}, lr=0.3)
        inputs, labels, _ = batch
        g, nearby, want = gradients(start, inputs, labels), copy.deepcopy(start), copy.deepcopy(start)
        scale = sum(float((p.detach().abs() * d).square().sum()) for p, d in zip(start.parameters(), g, strict=True))
        with torch.no_grad():
            for p, d in zip(nearby.parameters(), g, strict=True):
                p += 0.5 * p.square() * d / scale**0.5
        gp = gradients(nearby, inputs, labels)
        with torch.no_grad():
            for p, d in zip(want.parameters(), gp, strict=True):
                p -= 0.3 * d
        assert_same_move(got, want, start)

    @settings(deadline=None)
    @given(st.integers(0, 9999), st.integers(2, 9), st.floats(0.1, 3), st.sampled_from([1e-9, 1.0, 1e9]))
    def test_what_is_taken_away_is_orthogonal(self, seed, size, alpha, scale):
        g, gp = scale * torch.randn(2, size, dtype=torch.float64, generator=stream(seed, "gradients"))
        taken = gp - gap_direction(g, gp, alpha)
        assume(taken.norm() > 1e-3 * alpha * g.norm())
        assert abs(taken @ gp) < 1e-12 * taken.norm() * gp.norm()
        torch.testing.assert_close(g - taken / alpha, gp * ((g @ gp) / (gp @ gp)), rtol=1e-9, atol=1e-12 * scale)
        torch.testing.assert_close(gap_direction(g, g, alpha), g, rtol=1e-14, atol=0)

    @pytest.mark.parametrize("adaptive", [True, False])
    def test_nothing_to_follow_is_no_zero_by_zero(self, adaptive):
        zero, some = torch.zeros(4), torch.arange(4.0)
        assert torch.equal(perturbation(some, zero, 0.1, adaptive), zero)
        assert torch.equal(gap_direction(zero, zero, 1.0), zero)
        assert torch.equal(gap_direction(some, zero, 1.0), -some)
        assert torch.equal(perturbation(zero, some, 0.1, True), zero)


class TestSmooth:
    @settings(deadline=None, max_examples=15)
    @given(st.integers(0, 9999), st.sampled_from(["channel", "sample"]), st.booleans())
    def test_the_penalty_is_that_of_explicit_loops(self, seed, norm_over, batch_norm):
        network, ((_, _, images),) = small_network(seed, batch_norm), drawn_batches(seed, 1, batch=3)
        x = images.clone().requires_grad_()
        total = torch.stack([logit for row in network(x) for logit in row]).sum()
        (slope,) = torch.autograd.grad(total, x, create_graph=True)
        if norm_over == "channel":
            parts = [slope[i, :, h, w] for i in range(3) for h in range(4) for w in range(4)]
        else:
            parts = list(slope)
        want = torch.stack([(sum(number**2 for number in part.reshape(-1)) ** 0.5 - 1) ** 2 for part in parts]).mean()
        got = gradient_penalty(network, images, norm_over)
        assert_close(got, want)
        wanted = slopes(want, network)
        assert norm(wanted) > 0
        assert_close(slopes(got, network), wanted)

    @settings(deadline=None, max_examples=15)
    @given(st.integers(0, 9999), st.sampled_from(["channel", "sample"]), st.integers(0, 3), st.sampled_from([0, 0.9]))
    def test_a_step_follows_the_clipped_loss_and_the_penalty_of_the_plain_images(
        self, seed, norm_over, epoch, momentum
    ):
        start, batches = small_network(seed), drawn_batches(seed, 3)
        optimizer = {"kind": "smooth", "clip": [0.5, 0.8], "penalty": 0.7, "norm_over": norm_over}
        options = {"lr": 0.1, "momentum": momentum, "weight_decay": 0.01}
        got, losses = trained(start, batches, epoch=epoch, optimizer=optimizer, **options)
        want = copy.deepcopy(start)
        sgd = torch.optim.SGD(want.parameters(), **options)
        for (inputs, labels, originals), loss in zip(batches, losses, strict=True):
            sgd.zero_grad()
            x = originals.clone().requires_grad_()
            (slope,) = torch.autograd.grad(want(x).sum(), x, create_graph=True)
            norms = (slope.square().sum(1) if norm_over == "channel" else slope.square().sum((1, 2, 3))).sqrt()
            plain = cross_entropy(want(inputs), labels)
            assert_close(loss, plain.detach())
            ({0: 0.5, 1: 0.8}.get(epoch, 1.0) * plain + 0.7 * ((norms - 1) ** 2).mean()).backward()
            sgd.step()
        assert_same_move(got, want, start)

    def test_without_clip_and_penalty_it_is_sgd_and_looks_once(self):
        start, batches = small_network(0, batch_norm=True), drawn_batches(0, 3)
        calls = []
        start.register_forward_hook(lambda *_: calls.append(1))
        optimizer = {"kind": "smooth", "clip": [], "penalty": 0}
        got, losses = trained(start, batches, optimizer=optimizer, momentum=0.9)
        assert len(calls) == 3
        want, plain = trained(start, batches, optimizer="sgd", momentum=0.9)
        assert losses == plain
        assert all(map(torch.equal, got.state_dict().values(), want.state_dict().values()))
        trained(start, batches, optimizer={"kind": "smooth"})
        assert len(calls) == 3 + 3 + 6, "a penalty takes a second look"

    @pytest.mark.parametrize("norm_over", ["channel", "sample"])
    def test_a_slope_of_zero_has_a_finite_gradient(self, norm_over):
        network = nn.Sequential(nn.Flatten(), nn.Linear(32, 4), nn.ReLU(), nn.Linear(4, 3)).double()
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.1)
        images = torch.stack([torch.full((2, 4, 4), -1.0), torch.full((2, 4, 4), 1.0)]).double()
        found = slopes(gradient_penalty(network, images, norm_over), network)
        assert all(tensor.isfinite().all() for tensor in found)
        alone = slopes(gradient_penalty(network, images[1:], norm_over), network)
        assert norm(alone) > 0
        assert_close(found, tuple(tensor / 2 for tensor in alone))
        (slope,) = torch.autograd.grad(network(x := images.requires_grad_()).sum(), x)
        assert not slope[0].any(), "no unit sees the first image"


@pytest.mark.parametrize("optimizer", KINDS[1:], ids=lambda kind: kind["kind"])
def test_running_statistics_follow_the_first_pass_alone(optimizer):
    start, (batch,) = small_network(2, batch_norm=True), drawn_batches(2, 1)
    got, _ = trained(start, [batch], optimizer=optimizer)
    want = copy.deepcopy(start)
    want(batch[0])
    for (name, a), b, c in zip(got.named_buffers(), want.buffers(), start.buffers(), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c), name


@pytest.mark.parametrize("optimizer", KINDS, ids=lambda kind: kind["kind"])
class TestEveryKind:
    def test_the_rate_drops_once_and_the_velocity_is_forgotten(self, optimizer):
        recipe = tiny_recipe(optimizer=optimizer, momentum=0.9, lr_drop_epoch=2, lr_drop_factor=0.2)
        network, (first, second) = small_network(3), drawn_batches(3, 2)
        training = expert_optimizer(network, recipe)
        assert [training.rate(epoch) for epoch in range(4)] == pytest.approx([0.05, 0.05, 0.01, 0.01])
        training.begin_epoch(1)
        updated(training, first)
        training.begin_epoch(2)
        assert ExpertState(training).state() == {}
        before = copy.deepcopy(network)
        updated(training, second)
        want, _ = trained(before, [second], epoch=2, optimizer=optimizer, lr=0.01)
        assert_same_move(network, want, before)

    @pytest.mark.parametrize("unused", [False, True])
    def test_what_is_kept_is_all_the_rest_depends_on(self, optimizer, unused):
        recipe = tiny_recipe(optimizer=optimizer, momentum=0.9, weight_decay=0.01)
        network, batches = small_network(4, batch_norm=True).float(), drawn_batches(4, 6)
        if unused:
            network[1].register_parameter("unused", nn.Parameter(torch.ones(2)))
        batches = [(inputs.float(), labels, originals.float()) for inputs, labels, originals in batches]
        whole = expert_optimizer(network, recipe)
        whole.begin_epoch(0)
        for batch in batches[:3]:
            updated(whole, batch)
        other = copy.deepcopy(network)
        resumed = expert_optimizer(other, recipe)
        ExpertState(resumed).restore(ExpertState(whole).state())
        for training in (whole, resumed):
            training.begin_epoch(1)
            for batch in batches[3:]:
                updated(training, batch)
        assert all(map(torch.equal, network.state_dict().values(), other.state_dict().values()))

    def test_loss_and_logits_are_of_the_network_before_the_update_and_detached(self, optimizer):
        network, (batch,) = small_network(5), drawn_batches(5, 1)
        before = network(batch[0]).detach()
        loss, logits = updated(expert_optimizer(network, tiny_recipe(optimizer=optimizer)), batch)
        assert torch.equal(logits, before) and not logits.requires_grad
        assert torch.equal(loss, cross_entropy(before, batch[1])) and not loss.requires_grad


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{kind: gsam, rho: -0.1}", "rho is wrong: it should be greater than or equal to 0"),
        ("{kind: smooth, clip: [0.5, 2]}", "should be less than or equal to 1"),
        ("{kind: smooth, norm_over: pixel}", "norm_over can not be 'pixel'"),
        ("{kind: gsam, row: 1}", "did you mean 'rho'?"),
        ("gasm", "did you mean 'gsam'?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(ddbench, tmp_path, setting, said):
    recipe = changed(tmp_path, "experts: {count: 2,", f"experts:\n  {{optimizer: {setting}, count: 2,")
    error = ddbench.refused("buffer", recipe, "--home", tmp_path / "home")
    assert said in error and "tiny.yaml, line 6" in error
