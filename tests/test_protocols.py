"""Protocols never change silently, and training by them is what their numbers say."""

from dataclasses import fields, replace

import pytest
import torch
from evaluation_makers import short
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ddbench.errors import UserError
from ddbench.evaluate.fresh import augment_by, has_batch_norm, layers_seeded, train_fresh
from ddbench.evaluate.protocols import PROTOCOLS, Setting, protocol
from ddbench.networks import build_network

# A fingerprint that changes here means rows that can not be compared with those before: add a version instead.
FROZEN = {
    "dc-v1": "af092974904ae5d6",
    "dsa-v1": "af024b9d09b56936",
    "mtt-v1": "94d7eb107922d2ed",
    "ftd-warm-ema-v1": "26d710f5b5d4cabe",
}


def test_protocols_are_frozen():
    assert {name: found.fingerprint for name, found in PROTOCOLS.items()} == FROZEN


@pytest.mark.parametrize("name", PROTOCOLS)
def test_numbers_as_published(name):
    found = PROTOCOLS[name]
    assert (found.lr, found.momentum, found.weight_decay, found.batch, found.drop_factor) == (0.01, 0.9, 5e-4, 256, 0.1)
    assert found.key == name
    assert found.learned_lr == (name in ("mtt-v1", "ftd-warm-ema-v1"))
    assert found.warm_up == (name == "ftd-warm-ema-v1")


def test_settings_of_dc():
    dc = PROTOCOLS["dc-v1"]
    assert dc.setting_for("cifar10", batch_norm=False) == Setting(epochs=300, augmentation="none")
    assert dc.setting_for("mnist", batch_norm=False) == Setting(epochs=1000, augmentation="dc")
    assert dc.setting_for("cifar10", batch_norm=True) == Setting(epochs=1000, augmentation="dc-bn")
    assert dc.setting_for("mnist", batch_norm=True) == Setting(epochs=1000, augmentation="dc-bn")


@pytest.mark.parametrize("name", ["dsa-v1", "mtt-v1", "ftd-warm-ema-v1"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_settings_of_dsa_and_mtt(name, batch_norm):
    assert PROTOCOLS[name].setting_for("mnist", batch_norm=batch_norm) == Setting(epochs=1000, augmentation="dsa")


def test_loop_has_one_epoch_more_than_its_name_and_drops_after_the_middle():
    setting = Setting(epochs=1000, augmentation="dsa")
    assert (setting.trained_epochs, setting.drop_after) == (1001, 501)


CHANGED = {
    "name": "other",
    "version": 2,
    "setting": Setting(epochs=999, augmentation="dsa"),
    "by_dataset": (("svhn", Setting(epochs=1000, augmentation="none")),),
    "batch_norm": Setting(epochs=7, augmentation="none"),
    "learned_lr": False,
    "lr": 0.02,
    "momentum": 0.8,
    "weight_decay": 0.0,
    "batch": 128,
    "drop_factor": 0.2,
    "warm_up": True,
}


def test_fingerprint_covers_every_number():
    original = PROTOCOLS["mtt-v1"]
    assert {field.name for field in fields(original)} == {*CHANGED, "title", "source"}
    found = {replace(original, **{name: value}).fingerprint for name, value in CHANGED.items()}
    assert len(found | {original.fingerprint}) == len(CHANGED) + 1
    assert replace(original, title="in other words").fingerprint == original.fingerprint


def test_unknown_protocol_is_suggested():
    assert protocol("mtt-v1") is PROTOCOLS["mtt-v1"]
    with pytest.raises(UserError, match="did you mean 'mtt-v1'") as caught:
        protocol("mtt-v9", "r.yaml, line 3: protocol: mtt-v9")
    assert "r.yaml, line 3" in str(caught.value)


def problem(seed, count, kind):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, 8, 8, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (count,), generator=generator)
    if kind != "hard":
        labels = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    network = build_network("convnet-d1-w4", channels=1, size=8, classes=3, seed=seed).double()
    return network, images, labels.softmax(1) if kind == "probabilities" else labels


def by_hand(network, images, labels, kind, *, epochs, batch, lr, seed, forget=True):
    """The published loop in plain arithmetic; the parameters after every epoch."""
    generator = torch.Generator().manual_seed(seed)
    parameters = list(network.parameters())
    velocity = [torch.zeros_like(parameter) for parameter in parameters]
    target = labels.softmax(1) if kind == "logits" else labels
    history = []
    for epoch in range(epochs + 1):
        order = torch.randperm(len(images), generator=generator)
        for start in range(0, len(images), batch):
            rows = order[start : start + batch]
            loss = functional.cross_entropy(network(images[rows]), target[rows])
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, speed, gradient in zip(parameters, velocity, gradients, strict=True):
                    speed.mul_(0.9).add_(gradient + 5e-4 * parameter)
                    parameter.sub_(lr * speed)
        if epoch == epochs // 2 + 1:
            lr *= 0.1
            if forget:
                velocity = [torch.zeros_like(parameter) for parameter in parameters]
        history.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    return history


def trained(network, images, labels, kind, *, epochs, batch, lr, seed):
    history = []

    def keep(epoch):
        assert epoch == len(history) + 1
        history.append(torch.cat([parameter.detach().flatten() for parameter in network.parameters()]))

    chosen = replace(short(), batch=batch)
    train_fresh(
        network,
        images,
        labels,
        label_kind=kind,
        lr=lr,
        protocol=chosen,
        setting=Setting(epochs=epochs, augmentation="none"),
        augment=None,
        generator=torch.Generator().manual_seed(seed),
        after_epoch=keep,
    )
    return history


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 999),
    count=st.integers(2, 9),
    batch=st.integers(2, 10),
    epochs=st.integers(2, 6),
    lr=st.floats(1e-3, 0.3),
    kind=st.sampled_from(["hard", "probabilities", "logits"]),
)
def test_training_is_the_published_loop(seed, count, batch, epochs, lr, kind):
    wanted = by_hand(*problem(seed, count, kind), kind, epochs=epochs, batch=batch, lr=lr, seed=seed)
    got = trained(*problem(seed, count, kind), kind, epochs=epochs, batch=batch, lr=lr, seed=seed)
    assert len(got) == len(wanted) == epochs + 1
    assert (wanted[-1] - wanted[0]).abs().max() > 0
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_momentum_is_forgotten_at_the_drop():
    asked = {"epochs": 4, "batch": 3, "lr": 0.05, "seed": 1}
    got = trained(*problem(1, 6, "hard"), "hard", **asked)
    remembering = by_hand(*problem(1, 6, "hard"), "hard", forget=False, **asked)
    torch.testing.assert_close(got[3], remembering[3], rtol=1e-9, atol=1e-11)
    assert (got[4] - remembering[4]).abs().max() > 1e-6


@pytest.mark.parametrize("name", ["dsa", "dc", "dc-bn"])
def test_augmentation_follows_its_seed_alone(name):
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    cpu = torch.device("cpu")

    def series(seed):
        augment = augment_by(name, mirror=True, seed=seed, device=cpu)
        assert augment is not None
        return torch.stack([augment(images) for _ in range(6)])

    before = torch.random.get_rng_state()
    first = series(3)
    assert torch.equal(first, series(3))
    assert not torch.equal(first, series(4))
    assert (first - images).abs().max() > 0
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_augmentation():
    assert augment_by("none", mirror=True, seed=0, device=torch.device("cpu")) is None


def test_digits_are_never_mirrored():
    lopsided = torch.zeros(2, 1, 16, 16)
    lopsided[..., :3] = torch.rand(2, 1, 16, 3, generator=torch.Generator().manual_seed(0)) + 1
    mirrored = lopsided.flip(3)

    def seen(mirror):
        augment = augment_by("dsa", mirror=mirror, seed=0, device=torch.device("cpu"))
        assert augment is not None
        return any(torch.equal(out, mirrored[i]) for _ in range(200) for i, out in enumerate(augment(lopsided)))

    assert seen(True) and not seen(False)


def test_layers_that_draw_leave_the_global_state_alone():
    layer, images = torch.nn.Dropout(0.5), torch.ones(1, 50)
    before = torch.random.get_rng_state()
    with layers_seeded(5, torch.device("cpu")):
        first = layer(images)
    with layers_seeded(5, torch.device("cpu")):
        assert torch.equal(first, layer(images))
    assert 0 < int((first == 0).sum()) < 50
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("name", "expected"), [("convnet-d1-w4", False), ("convnet-d1-w4-bn", True)])
def test_batch_norm_is_found(name, expected):
    assert has_batch_norm(build_network(name, channels=1, size=8, classes=3, seed=0)) is expected
