"""Protocols never change silently, and training by them is what their numbers say."""

import math
from dataclasses import fields, replace

import pytest
import torch

from ddbench.errors import UserError
from ddbench.evaluate.protocols.builtin import (
    PROTOCOLS,
    TEACHING,
    EvaluationContext,
    ProtocolOverrides,
    protocol,
    teaching_protocol,
)
from ddbench.evaluate.training.augment import augment_by
from ddbench.evaluate.training.networks import has_batch_norm, layers_seeded
from ddbench.evaluate.training.optimizer import learning_rate
from ddbench.networks import build_network

# A fingerprint that changes here means rows that can not be compared with those before: add a version instead.
FROZEN = {
    "dc-v1": "af092974904ae5d6",
    "dsa-v1": "af024b9d09b56936",
    "mtt-v1": "94d7eb107922d2ed",
    "ftd-warm-ema-v1": "26d710f5b5d4cabe",
    "tesla-v1": "d896b484dc03aa6b",
    "datm-v1": "f49b99540890e3a6",
    "eccv24-v1": "211dd50944897519",
    "idc-v1": "7db846e45f9fef46",
    "sre2l-v1": "0d6994a0c97a735d",
    "rded-v1": "e0af726ce957eca4",
    "infer-static-v1": "041b2183cdaeb45a",
    "infer-dynamic-v1": "ad0ec582622ac0d4",
    "sre2l-tiny-v1": "ff854a05df337bba",
    "rat-v1": "6e6527690ca327da",
    "squeeze-v1": "e8a8a9e194b22b5c",
    "nas-v1": "dadc74bed66fdd95",
    "real-v1": "060f9d09d2cdafde",
}


def test_protocols_are_frozen():
    assert {name: found.fingerprint for name, found in PROTOCOLS.items()} == FROZEN


def about(dataset="cifar10", network="convnet-d3", *, batch_norm=False, ipc=10, classes=10, size=32):
    return EvaluationContext(
        dataset=dataset, network=network, batch_norm=batch_norm, ipc=ipc, classes=classes, size=size
    )


@pytest.mark.parametrize("name", ["dc-v1", "dsa-v1", "mtt-v1", "ftd-warm-ema-v1", "tesla-v1", "datm-v1", "eccv24-v1"])
def test_numbers_of_the_trajectory_family(name):
    found = PROTOCOLS[name]
    config = found.resolve(about())
    assert (config.lr, config.momentum, config.weight_decay, config.drop_factor) == (0.01, 0.9, 5e-4, 0.1)
    assert (config.optimizer, config.schedule, config.loss, config.targets) == ("sgd", "drop", "ce", "set")
    assert config.batch == (128 if name == "datm-v1" else 256) and config.mixing == "none"
    assert config.trained_epochs == config.epochs + 1 == (301 if name == "dc-v1" else 1001)
    assert config.augmentation == ("none" if name == "dc-v1" else "dsa")
    assert found.learned_lr == (name in ("mtt-v1", "ftd-warm-ema-v1", "tesla-v1", "datm-v1"))
    assert found.warm_up == (name == "ftd-warm-ema-v1")
    assert found.network == ("convnet-d3" if name == "eccv24-v1" else "")
    assert found.resolve(about(), lr=0.3).lr == 0.3


def test_settings_of_dc():
    dc = PROTOCOLS["dc-v1"]
    assert dc.setting_for(about()) == ProtocolOverrides(epochs=300, augmentation="none")
    assert dc.setting_for(about("mnist")) == ProtocolOverrides(epochs=1000, augmentation="dc")
    assert dc.setting_for(about(batch_norm=True)) == ProtocolOverrides(epochs=1000, augmentation="dc-bn")
    assert dc.setting_for(about("mnist", batch_norm=True)) == ProtocolOverrides(epochs=1000, augmentation="dc-bn")


@pytest.mark.parametrize("batch_norm", [True, False])
def test_settings_of_dsa_and_mtt(batch_norm):
    for name in ("dsa-v1", "mtt-v1", "ftd-warm-ema-v1"):
        setting = PROTOCOLS[name].setting_for(about("mnist", batch_norm=batch_norm))
        assert setting == ProtocolOverrides(epochs=1000, augmentation="dsa")


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "schedule", "mixing", "alpha", "temperature", "targets", "augmentation"),
    [
        ("sre2l-v1", 400, 128, "cosine", "mixup", 0.8, 30.0, "teacher", "crop-flip"),
        ("rded-v1", 300, 50, "half-cosine", "cutmix", 1.0, 20.0, "teacher", "patches-crops-flip"),
        ("infer-static-v1", 400, 64, "cosine", "mixup", 0.8, 30.0, "set", "crop-flip"),
        ("infer-dynamic-v1", 80, 64, "cosine", "mixup", 0.8, 30.0, "teacher", "crop-flip"),
    ],
)
def test_numbers_of_the_decoupled_family(
    name, epochs, batch, schedule, mixing, alpha, temperature, targets, augmentation
):
    config = PROTOCOLS[name].resolve(about())
    assert (config.epochs, config.trained_epochs, config.batch) == (epochs, epochs, batch)
    assert (config.schedule, config.mixing, config.mix_alpha, config.mix_probability) == (schedule, mixing, alpha, 1.0)
    assert (config.loss, config.temperature, config.targets) == ("kl", temperature, targets)
    assert (config.optimizer, config.lr, config.weight_decay) == ("adamw", 1e-3, 0.01)
    assert config.augmentation == augmentation and config.decay_kernels_only == (name == "rded-v1")


def test_sre2l_on_tiny_imagenet_warms_up_and_multiplies_by_the_squared_temperature():
    config = PROTOCOLS["sre2l-tiny-v1"].resolve(about("tiny-imagenet", "resnet18-cifar", classes=200, size=64))
    assert (config.optimizer, config.lr, config.momentum, config.weight_decay) == ("sgd", 0.2, 0.9, 1e-4)
    assert (config.trained_epochs, config.batch, config.augmentation, config.mixing) == (100, 256, "crops-flip", "none")
    assert (config.loss, config.temperature, config.squared_temperature, config.targets) == ("kl", 20, True, "teacher")
    rates = [learning_rate(config, epoch) for epoch in (0, 4, 5, 52, 99)]
    assert rates == pytest.approx([0.002, 0.1604, 0.2, 0.1 * (1 + math.cos(math.pi * 47 / 95)), 5.47e-5], rel=1e-3)


def test_teachers_of_decoupled_methods_begin_with_ten_times_the_rate():
    squeeze, real = (PROTOCOLS[name].resolve(about(size=32)) for name in TEACHING[::-1])
    assert (squeeze.lr, squeeze.momentum, squeeze.weight_decay, squeeze.optimizer) == (0.1, 0.9, 5e-4, "sgd")
    assert (squeeze.epochs, squeeze.trained_epochs, squeeze.batch, squeeze.schedule) == (200, 200, 128, "cosine")
    assert (squeeze.augmentation, squeeze.loss, squeeze.mixing) == ("crop-flip", "ce", "none")
    assert replace(squeeze, lr=0.01) == real
    assert teaching_protocol("squeeze-v1") is PROTOCOLS["squeeze-v1"]
    with pytest.raises(UserError, match="no protocol for teachers 'squeeze-v2'\n.*a.yaml") as caught:
        teaching_protocol("squeeze-v2", "a.yaml, line 3")
    assert caught.value.fix == "did you mean 'squeeze-v1'?" and "known real-v1, squeeze-v1" in caught.value.facts
    with pytest.raises(UserError, match="no protocol for teachers 'mtt-v1'"):
        teaching_protocol("mtt-v1")


def test_sre2l_on_large_images():
    config = PROTOCOLS["sre2l-v1"].resolve(about("imagenet", size=224, classes=1000))
    found = (config.epochs, config.batch, config.mixing, config.temperature, config.augmentation)
    assert found == (300, 1024, "cutmix", 20.0, "crops-flip")


@pytest.mark.parametrize(
    ("dataset", "classes", "ipc", "batch"),
    [
        ("cifar10", 10, 1, 10),
        ("cifar10", 10, 10, 50),
        ("cifar10", 10, 50, 100),
        ("cifar100", 100, 1, 20),
        ("cifar100", 100, 50, 200),
        ("tiny-imagenet", 200, 10, 100),
        ("imagenet", 1000, 50, 200),
        ("three", 3, 2, 6),
    ],
)
def test_batches_of_rded(dataset, classes, ipc, batch):
    assert PROTOCOLS["rded-v1"].resolve(about(dataset, classes=classes, ipc=ipc)).batch == batch


def test_rates_of_rded_by_network():
    rates = {name: PROTOCOLS["rded-v1"].resolve(about(network=name)).lr for name in ("resnet18-bn", "mobilenet-v2")}
    assert rates == {"resnet18-bn": 1e-3, "mobilenet-v2": 2.5e-3}


@pytest.mark.parametrize(
    ("dataset", "classes", "ipc", "size", "wanted"),
    [
        ("cifar10", 10, 1, 32, (1000, 64, 0.01, 5e-4, 0.5, "dsa-idc")),
        ("cifar100", 100, 50, 32, (1000, 64, 0.01, 5e-4, 0.5, "crop-flip")),
        ("imagenette", 10, 1, 128, (3000, 64, 0.01, 5e-4, 1.0, "crops-flip")),
        ("imagenette", 10, 11, 128, (1500, 64, 0.01, 5e-4, 1.0, "crops-flip")),
        ("imagenet", 100, 10, 224, (1300, 128, 0.1, 1e-4, 1.0, "crops-flip")),
        ("imagenet", 1000, 200, 224, (1000, 128, 0.1, 1e-4, 1.0, "crops-flip")),
        ("imagenet", 1000, 501, 224, (300, 128, 0.1, 1e-4, 1.0, "crops-flip")),
    ],
)
def test_numbers_of_idc(dataset, classes, ipc, size, wanted):
    config = PROTOCOLS["idc-v1"].resolve(about(dataset, classes=classes, ipc=ipc, size=size))
    found = (config.epochs, config.batch, config.lr, config.weight_decay, config.mix_probability, config.augmentation)
    assert found == wanted
    assert (config.mixing, config.schedule, config.drop_factor, config.loss) == ("cutmix", "steps", 0.2, "ce")


@pytest.mark.parametrize(
    ("classes", "ipc", "wanted"),
    [
        (10, 10, (10, 10, 100)),
        (10, 1, (10, 1, 10)),
        (10, 50, (10, 10, 100)),
        (100, 1, (100, 1, 100)),
        (100, 10, (100, 1, 100)),
        (200, 10, (50, 1, 50)),
        (1000, 1, (50, 1, 50)),
    ],
)
def test_batches_of_rat_are_those_of_its_commands(classes, ipc, wanted):
    protocol = PROTOCOLS["rat-v1"]
    config = protocol.resolve(about(classes=classes, ipc=ipc))
    assert (config.classes_per_step, config.images_per_class, config.batch) == wanted
    assert (config.optimizer, config.lr, config.weight_decay, config.schedule) == ("adam", 1e-3, 0.0, "constant")
    assert (config.trained_epochs, config.batches, config.augmentation) == (3000, "by-class", "flip-rotate")
    assert protocol.horizons == (300, 600, 1000, 3000) and protocol.unit == "steps"


CHANGED = {
    "name": "other",
    "version": 2,
    "setting": ProtocolOverrides(epochs=999, augmentation="dsa"),
    "by_dataset": (("svhn", ProtocolOverrides(epochs=1000, augmentation="none")),),
    "batch_norm": ProtocolOverrides(epochs=7, augmentation="none"),
    "learned_lr": False,
    "lr": 0.02,
    "momentum": 0.8,
    "weight_decay": 0.0,
    "batch": 128,
    "drop_factor": 0.2,
    "warm_up": True,
    "inclusive": False,
    "optimizer": "adamw",
    "decay_kernels_only": True,
    "lr_by_network": (("mlp", 0.1),),
    "schedule": "cosine",
    "mixing": "mixup",
    "mix_alpha": 0.8,
    "mix_probability": 0.5,
    "loss": "kl",
    "temperature": 4.0,
    "targets": "teacher",
    "large": ProtocolOverrides(epochs=8, augmentation="none"),
    "rule": "idc",
    "network": "mlp",
    "stored_views": True,
    "batches": "by-class",
    "classes_per_step": 2,
    "images_per_class": 3,
    "horizons": (10, 20),
    "warm_up_epochs": 2,
    "squared_temperature": True,
}


def test_fingerprint_covers_every_number():
    original = PROTOCOLS["mtt-v1"]
    assert {field.name for field in fields(original)} == {*CHANGED, "title", "source"}
    found = {replace(original, **{name: value}).fingerprint for name, value in CHANGED.items()}
    settings = {"batch": 3, "lr": 0.5, "weight_decay": 0.1, "mixing": "none", "mix_alpha": 0.1, "temperature": 2.0}
    settings |= {"mix_probability": 0.1, "classes_per_step": 4, "images_per_class": 5}
    assert {"epochs", "augmentation", *settings} == {field.name for field in fields(ProtocolOverrides)}
    found |= {
        replace(original, setting=replace(original.setting, **{name: value})).fingerprint
        for name, value in settings.items()
    }
    assert len(found | {original.fingerprint}) == len(CHANGED) + len(settings) + 1
    assert replace(original, title="in other words").fingerprint == original.fingerprint


def test_unknown_protocol_is_suggested():
    assert protocol("mtt-v1") is PROTOCOLS["mtt-v1"]
    with pytest.raises(UserError, match="did you mean 'mtt-v1'") as caught:
        protocol("mtt-v9", "r.yaml, line 3: protocol: mtt-v9")
    assert "r.yaml, line 3" in str(caught.value)


@pytest.mark.parametrize("name", ["dsa", "dc", "dc-bn", "dsa-idc", "crop-flip", "crops-flip", "patches-crops-flip"])
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
