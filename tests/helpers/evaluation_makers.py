"""Tiny real and synthetic sets, protocols and rows that the tests of the evaluation share."""

from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st

from ddbench.artifact import fingerprint
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.protocols.builtin import PROTOCOLS, Protocol, ProtocolOverrides
from ddbench.evaluate.training.optimizer import protocol_optimizer
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.loop import train_epochs
from ddbench.training.model_stack import SingleModel

NETWORK = "convnet-d1-w4"
CLASSES = 3
PRINTABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
"""Every character that a row may hold."""


def tiny_split(count, seed, channels=1, size=8):
    """Noise whose brightness tells the class, uint8."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = torch.randint(0, 90, (count, channels, size, size), generator=generator) + 80 * labels.view(-1, 1, 1, 1)
    return Split(images.to(torch.uint8), labels)


def tiny_real(validation=12, name="tiny", mean=0.4):
    preprocessing = Preprocessing.meanstd([mean], [0.3])
    return RealSet(
        name=name,
        class_names=("a", "b", "c"),
        train=tiny_split(30, 1),
        validation=tiny_split(validation, 2),
        test=tiny_split(15, 3),
        preprocessing=preprocessing,
        fingerprint=fingerprint([name, preprocessing.fingerprint]),
    )


def tiny_synthetic(real, ipc=2, lr=0.05, seed=0, **changes):
    rows = torch.cat([real.train.rows_of_class(label)[seed : seed + ipc] for label in range(real.classes)])
    fields: dict[str, Any] = {
        "images": real.inputs(real.train, rows),
        "labels": real.train.labels[rows],
        "student_lr": None if lr is None else torch.tensor(lr),
        "ipc": ipc,
        "dataset": real.name,
        "class_names": real.class_names,
        "network": NETWORK,
        "preprocessing": real.preprocessing.describe(),
        "method": "mtt",
        "provenance": {"step": 7, "seconds": 2.5, "peak_bytes": 1000, "recipe": {"dataset": real.name, "seed": 0}},
    }
    return SyntheticSet(**{**fields, **changes})


def short(name="mtt-v1", epochs=3, augmentation="dsa") -> Protocol:
    """A published protocol with hardly any epochs."""
    return replace(PROTOCOLS[name], setting=ProtocolOverrides(epochs=epochs, augmentation=augmentation))


def make_tiny_row(**changes) -> Row:
    fields: dict[str, Any] = {
        "method": "mtt",
        "label": "mtt",
        "dataset": "digits",
        "ipc": 1,
        "network": "convnet-d2-w32",
        "student": "convnet-d2-w32",
        "protocol": "mtt-v1",
        "selection": "validation",
        "selected_step": 100,
        "accuracy": (0.5, 0.75),
        "seeds": (0, 1),
        "seconds": 41.2,
        "evaluation_seconds": 3.0,
        "peak_bytes": 10**8,
        "bytes": {"images": 2560, "labels": 80, "student_lr": 4},
        "device": "a processor (2 threads)",
        "code": "ddbench 0.1.0",
        "versions": {"torch": "2.15.0"},
        "synthetic_sha256": "5e7",
        "real_fingerprint": "4ea1",
        "preprocessing_fingerprint": "93e",
        "recipe": {"dataset": "digits", "ipc": [1]},
    }
    return Row(**{**fields, **changes})


def train_by(config, batches, trainable, steps=None):
    """Train a network, or a stack of them, by a protocol; yields the number of epochs that are done."""
    trainable = SingleModel(trainable) if isinstance(trainable, torch.nn.Module) else trainable
    optimizer = protocol_optimizer(trainable, config)
    for epoch in train_epochs(optimizer, batches, range(config.trained_epochs), steps=steps):
        yield epoch + 1
