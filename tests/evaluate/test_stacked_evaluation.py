"""Fresh networks trained side by side, or by a captured pass, are those of the plain loop: in float64 to 1e-10."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic, train_by

from ddbench.evaluate.protocols.builtin import PROTOCOLS, EvaluationContext
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import real_job
from ddbench.evaluate.training.augment import augment_by
from ddbench.evaluate.training.batches import AugmentedBatches, stacked_epoch
from ddbench.evaluate.training.evaluation_config import EvaluationConfig
from ddbench.evaluate.training.mixing import Mixer
from ddbench.evaluate.training.train_and_test import train_and_test
from ddbench.evaluate.training.training_sets import TensorTrainingSet
from ddbench.networks import ImageShape, build_network
from ddbench.randomness import stream
from ddbench.training.forward_pass import ForwardPass, draws_at_random, forward_pass
from ddbench.training.model_stack import SingleModel, StackedModels

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
CPU = torch.device("cpu")
ABOUT = EvaluationContext(dataset="tiny", network=NETWORK, batch_norm=False, ipc=3, classes=3, size=8)
COURSES = {
    name: replace(PROTOCOLS[name].resolve(ABOUT), epochs=4, trained_epochs=5, batch=4, **changes)
    for name, changes in {
        "mtt-v1": {},
        "dc-v1": {"augmentation": "dc"},
        "idc-v1": {"mix_probability": 0.5},
        "sre2l-v1": {"targets": "set", "temperature": 4.0},
        "rded-v1": {"targets": "set", "lr": 0.01},
    }.items()
}


def problem(config, network):
    """Three float64 networks, a lesson, and what makes each network's views anew."""
    generator = stream(0, "lesson")
    images = torch.randn(9, 1, 8, 8, dtype=torch.float64, generator=generator)
    labels = torch.randn(9, 3, dtype=torch.float64, generator=generator)
    kind = "logits" if config.loss == "kl" else "hard"
    lesson = TensorTrainingSet(images=images, labels=labels if kind == "logits" else labels.argmax(1), label_kind=kind)
    networks = [build_network(network, channels=1, size=8, classes=3, seed=seed).double() for seed in range(3)]

    def views(seed):
        augment = augment_by(config.augmentation, mirror=True, seed=seed, device=CPU)
        order = stream(seed, "order")
        return AugmentedBatches(
            training_set=lesson, config=config, augment=augment, mixer=Mixer(config, seed, CPU), generator=order
        )

    return networks, views


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("network", [NETWORK, "convnet-d1-w4-bn"])
@pytest.mark.parametrize("steps", [None, 7])
def test_every_course_together_is_that_of_each(name, network, steps):
    config = replace(COURSES[name], joins_last=network.endswith("bn"))
    networks, views = problem(config, network)
    starts = copy.deepcopy(networks)
    alone = copy.deepcopy(networks)
    for seed, one in enumerate(alone):
        list(train_by(config, views(seed).epoch, one, steps))
    stack, every = StackedModels(networks, ForwardPass(networks[0], stacked=True)), [views(seed) for seed in range(3)]
    told = list(train_by(config, partial(stacked_epoch, every), stack, steps))
    assert told == ([1, 2, 3, 4, 5] if steps is None else told)
    for got, want, start in zip(networks, alone, starts, strict=True):
        for key, tensor in want.state_dict().items():
            exactly(got.state_dict()[key], tensor)
            assert not torch.equal(tensor, start.state_dict()[key])


@pytest.mark.parametrize("name", ["mtt-v1", "rded-v1"])
@pytest.mark.parametrize("network", [NETWORK, "convnet-d1-w4-bn"])
def test_a_captured_pass_trains_as_the_plain_one(name, network):
    config = replace(COURSES[name], joins_last=network.endswith("bn"))
    (plain, *_), views = problem(config, network)
    fast, start = copy.deepcopy(plain), copy.deepcopy(plain)
    captured = SingleModel(fast, ForwardPass(start, compile=True, backend="aot_eager"))
    for trainable in (plain, captured):
        list(train_by(config, views(0).epoch, trainable))
    for key, tensor in plain.state_dict().items():
        exactly(fast.state_dict()[key], tensor)
        assert not torch.equal(tensor, start.state_dict()[key])


@pytest.mark.parametrize("protocol", [short(), short("ftd-warm-ema-v1"), short("idc-v1", augmentation="dsa-idc")])
def test_scores_of_networks_together_are_those_of_each(protocol):
    real = tiny_real()
    syn = tiny_synthetic(real, warm_images=tiny_synthetic(real, seed=1).images)
    one, both = (
        score(syn, real, protocol=protocol, seeds=(0, 1, 2, 3, 4), compute=computing(together=together))
        for together in (None, 2)
    )
    assert both.accuracy == pytest.approx(one.accuracy, abs=0.07)
    assert len(set(one.accuracy)) > 1
    assert both.notes == one.notes


def test_epochs_are_told_of_all():
    told = []
    job = real_job(tiny_real(), protocol=short(), network=NETWORK)
    train_and_test(job.config, job.source, job.split, (0, 1, 2), lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_networks_that_draw_take_turns_and_are_never_compiled(monkeypatch):
    dropping = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 3))
    assert draws_at_random(dropping, ImageShape(1, 8, 3))
    assert not draws_at_random(dropping.__class__(*dropping[::2]), ImageShape(1, 8, 3))
    real = tiny_real()
    monkeypatch.setattr(EvaluationConfig, "has_random_layers", True)
    one = score(tiny_synthetic(real), real, protocol=short(), seeds=(0, 1))
    other = score(
        tiny_synthetic(real), real, protocol=short(), seeds=(0, 1), compute=computing(compile="on", together=2)
    )
    assert one.accuracy == other.accuracy
    assert not other.compiled


def test_a_pass_is_made_once_for_a_kind_of_network():
    kind = ("convnet-d1-w4", ImageShape(1, 8, 3), CPU)
    assert forward_pass(*kind, stacked=True) is forward_pass(*kind, stacked=True)
    assert forward_pass(*kind, stacked=True) is not forward_pass(*kind, stacked=False)
