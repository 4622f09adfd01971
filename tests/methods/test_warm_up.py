"""FTD's released evaluation: one network, trained on the images, then again on their average."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic, train_by

from ddbench.evaluate.score import score
from ddbench.evaluate.training.batches import AugmentedBatches
from ddbench.evaluate.training.evaluation_config import resolve_config
from ddbench.evaluate.training.mixing import Mixer
from ddbench.evaluate.training.real_split import RealSplit
from ddbench.evaluate.training.train_and_test import SeedResult, train_and_test
from ddbench.evaluate.training.training_sets import TensorTrainingSet
from ddbench.evaluate.training.training_source import TrainingSource
from ddbench.networks import build_network
from ddbench.randomness import derive, stream


@pytest.fixture
def real():
    return tiny_real()


def two_trainings(syn, real, protocol):
    """The job of a network that is trained on the warm images, then on the images."""
    sets = tuple(TensorTrainingSet(images=images, labels=syn.labels) for images in (syn.warm_images, syn.images))
    preprocessing = real.preprocessing
    source = TrainingSource(sets=sets, channels=1, mirror=True, preprocessing=preprocessing.describe())
    config = resolve_config(protocol, NETWORK, real, source, ipc=2, networks=1, compute=computing(), lr=0.05)
    return config, source, RealSplit(real.test, preprocessing, torch.device("cpu"))


def test_is_two_trainings_of_one_network_with_a_fresh_optimizer(real):
    protocol = short("ftd-warm-ema-v1", epochs=5, augmentation="none")
    syn = tiny_synthetic(real, warm_images=torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
    epochs = []
    evaluation = two_trainings(syn, real, protocol)
    got = train_and_test(*evaluation, (4,), lambda done, total: epochs.append((done, total)))
    network = build_network(NETWORK, channels=1, size=8, classes=3, seed=derive(4, "evaluation", "network"))
    config = evaluation[0].training
    generator, mixer = stream(4, "evaluation", "shuffling"), Mixer(config, 4, torch.device("cpu"))
    for images in (syn.warm_images, syn.images):
        lesson = TensorTrainingSet(images=images, labels=syn.labels)
        views = AugmentedBatches(training_set=lesson, config=config, augment=None, mixer=mixer, generator=generator)
        list(train_by(config, views.epoch, network))
    with torch.no_grad():
        seen = network.eval()(real.inputs(real.test)).argmax(1)
    assert got == [SeedResult((seen == real.test.labels).sum().item() / 15, True)]
    assert epochs == [(epoch, 12) for epoch in range(1, 13)]


def test_every_other_protocol_begins_with_a_fresh_network(real):
    """The average is scored as if the images themselves had never been trained on."""
    syn = tiny_synthetic(real)
    warm = replace(syn, warm_images=torch.randn(6, 1, 8, 8))
    asked = {"protocol": short(epochs=20), "seeds": (0, 1)}
    assert score(warm, real, **asked).accuracy == score(syn, real, **asked).accuracy


def test_a_set_without_them_is_trained_once_and_it_is_said(real):
    syn, asked = tiny_synthetic(real), {"seeds": (0, 1)}
    plain = score(syn, real, protocol=short("mtt-v1", epochs=20), **asked)
    warmed = score(syn, real, protocol=short("ftd-warm-ema-v1", epochs=20), **asked)
    assert warmed.accuracy == plain.accuracy and "no images to warm up on" in warmed.notes[0] and not plain.notes
