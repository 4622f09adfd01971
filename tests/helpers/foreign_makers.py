"""Files as other projects write them, and the tiny real set that they would have been distilled from."""

from pathlib import Path

import numpy as np
import torch

from ddbench.artifact import fingerprint
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.formats.assemble import assemble
from ddbench.formats.reader import READERS, Facts
from helpers.evaluation_makers import NETWORK, tiny_split

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.5)
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CLASSES, SIZE = 3, 8


def real_set(name="cifar10", preprocessing=None, validation=0, classes=CLASSES):
    """Color images of 8 pixels; train is 60 images, a third of each class."""
    preprocessing = preprocessing or Preprocessing.meanstd(MEAN, STD)

    def split(count, seed):
        made = tiny_split(count, seed, channels=3, size=SIZE)
        return Split(made.images, torch.arange(count) % classes)

    return RealSet(
        name=name,
        class_names=tuple("abcdefghij"[:classes]),
        train=split(60, 1),
        validation=split(validation, 2),
        test=split(9, 3),
        preprocessing=preprocessing,
        fingerprint=fingerprint([name, preprocessing.fingerprint]),
    )


def whitening(seed=0):
    """An invertible linear map of tiny images, as a whitening is, and not the identity."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.eye(3 * SIZE * SIZE) + 0.01 * torch.randn(3 * SIZE * SIZE, 3 * SIZE * SIZE, generator=generator)
    return Preprocessing.whitening(torch.rand(3 * SIZE * SIZE, generator=generator), matrix, matrix.inverse(), "some")


def drawn(count, seed=0, low=-2.0, high=2.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIZE, SIZE, generator=generator) * (high - low) + low


def sorted_labels(ipc, classes=CLASSES):
    return torch.arange(classes).repeat_interleave(ipc)


def save(path: Path, value) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, value.numpy())
    else:
        torch.save(value, path)
    return path


def imported(format, path, real=None, **facts):
    """The set that a path holds, read with these facts on top of the network's name."""
    said = Facts(**{"network": NETWORK, **facts})
    real = real or real_set()
    return assemble(READERS.get(format).read(Path(path), said, real), said, real, format=format)


def over(images, mean, std, real):
    """By hand: from one pair of constants to the real set's own."""
    pixels = images * torch.tensor(std).view(3, 1, 1) + torch.tensor(mean).view(3, 1, 1)
    own = real.preprocessing
    return (pixels - own.mean) / own.std


def close(found, wanted):
    """Errors: AssertionError unless they agree to float32, and there is something to agree on."""
    assert wanted.abs().max() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
