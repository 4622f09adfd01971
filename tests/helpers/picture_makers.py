"""Synthetic sets and real ones in every space, and pictures and stored labels as other projects lay them out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import BatchSampler, RandomSampler

from ddbench.artifact import fingerprint
from ddbench.data.fitting import fit_preprocessing
from ddbench.data.realset import RealSet
from ddbench.formats.assemble import assemble
from ddbench.formats.reader import READERS, Facts
from ddbench.synthetic.synthetic_set import SyntheticSet
from helpers.evaluation_makers import tiny_split

CLASSES, SIZE, TRAIN = 3, 8, 60
NAMES = ("cat", "n/a: .hidden", "Ünder  score")


def real_of(home, channels=3, kind="meanstd", name=None, validation=0):
    """Tiny real data in this space; the whitening of ZCA is cached in ``home``."""
    train = tiny_split(TRAIN, 1, channels, SIZE)
    constants = ([0.5, 0.4, 0.3][:channels], [0.25, 0.2, 0.5][:channels])
    preprocessing = fit_preprocessing(
        kind, train.images, fitted_on=f"tiny-{channels}", constants=constants, home=home, quiet=True
    )
    name = name or ("cifar10" if channels == 3 else "digits")
    return RealSet(
        name=name,
        class_names=NAMES,
        train=train,
        validation=tiny_split(validation, 2, channels, SIZE),
        test=tiny_split(9, 3, channels, SIZE),
        preprocessing=preprocessing,
        fingerprint=fingerprint([name, preprocessing.fingerprint]),
    )


def drawn_set(real, ipc=2, label_kind="hard", lr=0.05, seed=0, **changes) -> SyntheticSet:
    """Noise of whole 1/255 in the space of ``real``, with labels of this kind; provenance as distillation writes it."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (CLASSES * ipc, real.channels, SIZE, SIZE), generator=generator) / 255
    hard = torch.arange(CLASSES).repeat_interleave(ipc)
    logits = 3 * torch.randn(len(hard), CLASSES, generator=generator)
    labels = {"hard": hard, "logits": logits, "probabilities": logits.softmax(1)}[label_kind]
    made = SyntheticSet(
        images=real.preprocessing.forward(pixels),
        labels=labels,
        label_kind=label_kind,
        student_lr=None if lr is None else torch.tensor(lr),
        ipc=ipc,
        dataset=real.name,
        class_names=real.class_names,
        network="convnet-d1-w4",
        preprocessing=real.preprocessing.describe(),
        method="datm",
        provenance={"step": 3, "recipe": {"dataset": real.name, "seed": 0}},
    )
    return replace(made, **changes)


def imported(format, path, real, **facts) -> SyntheticSet:
    """What ``ddbench import`` makes of a path."""
    said = Facts(**{"network": "convnet-d1-w4", **facts})
    return assemble(READERS.get(format).read(Path(path), said, real), said, real, format=format)


def picture(path: Path, value, channels=3, side=SIZE) -> Path:
    """A picture of noise about ``value``, of the kind that its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(value)
    pixels = generator.integers(0, 256, (side, side, channels), dtype=np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return path


def pixels_in(path: Path) -> torch.Tensor:
    """(C, H, W) in [0, 1], read by hand."""
    array = np.asarray(Image.open(path))
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32)) / 255


def numbered_folder(root: Path, ipc=2, suffix="png") -> Path:
    """new000/class000_id000.png, ... as SRe2L names them."""
    for label in range(CLASSES):
        for context in range(ipc):
            picture(root / f"new{label:03d}" / f"class{label:03d}_id{context:03d}.{suffix}", 100 * label + context)
    return root


def stored_batches(
    labels, epochs=2, batch=4, mixing="cutmix", seed=42, teacher=4.0, dtype=torch.float16, classes=CLASSES
):
    """What SRe2L's relabeling would save for images of these labels, by epoch and batch, and the images it showed.

    Written from the description of the format: one sampler for all epochs, numpy's numbers for weight and box.
    """
    count = len(labels)
    sampler = RandomSampler(range(count), generator=torch.Generator().manual_seed(seed))
    random, generator = np.random.RandomState(0), torch.Generator().manual_seed(1)
    made, shown = [], []
    for _ in range(epochs):
        epoch, seen = [], []
        for views in BatchSampler(sampler, batch, drop_last=False):
            size = len(views)
            corner = torch.rand(size, 2, generator=generator) * 0.5
            coords = torch.cat([corner, torch.rand(size, 2, generator=generator) * 0.4 + 0.1], 1)
            flips = torch.rand(size, generator=generator) < 0.5
            rows = sorted(random.randint(0, SIZE + 1, 2))
            columns = sorted(random.randint(0, SIZE + 1, 2))
            box = [np.int64(rows[0]), np.int64(columns[0]), np.int64(rows[1]), np.int64(columns[1])]
            mixed = {
                "none": (None, None, None),
                "mixup": (torch.randperm(size, generator=generator), np.float64(random.beta(0.8, 0.8)), None),
                "cutmix": (torch.randperm(size, generator=generator), np.float64(random.beta(1, 1)), box),
            }[mixing]
            logits = torch.randn(size, classes, generator=generator)
            logits[torch.arange(size), labels[views]] += teacher
            epoch.append([coords, flips, *mixed, logits.to(dtype)])
            seen += views
        made.append(epoch)
        shown.append(seen)
    return made, torch.tensor(shown)


def save_batches(root: Path, made) -> Path:
    for epoch, batches in enumerate(made):
        for context, values in enumerate(batches):
            path = root / f"epoch_{epoch}" / f"batch_{context}.tar"
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(values, path)
    return root
