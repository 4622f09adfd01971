"""Some classes of a data set as a data set of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.data.realset import RealSet, Split
from ddbench.data.split import take_rows
from ddbench.errors import UserError

MOST_NAMED = 10


def only_classes(real: RealSet, classes: Sequence[int], *, folder: Path | None = None) -> RealSet:
    """Restrict a data set to some classes, labeled 0 to k-1 in the order given.

    The preprocessing stays the whole data set's, so that sets made from different classes lie in one space. Name and
    fingerprint are its own.

    Args:
        real: The whole data set.
        classes: Labels of the classes, each once.
        folder: Where the images of a split above a gibibyte go, memory-mapped; None copies them into memory. A split
            that loses no image is not copied.

    Returns:
        The data set of these classes.

    Raises:
        UserError: No class, one given twice, or one that does not exist.
    """
    chosen = check_classes(real, classes)
    fingerprint = subset_fingerprint(real, chosen)
    new_label = torch.full((real.classes,), -1, dtype=torch.int64)
    new_label[torch.tensor(chosen)] = torch.arange(len(chosen))

    def part(name: str) -> Split:
        split: Split = getattr(real, name)
        rows = rows_of_classes(split, chosen)
        if folder is None and len(rows) < len(split):
            images = split.images[rows]
        else:
            images = take_rows(split.images, rows, (folder or Path()) / fingerprint / name)
        return Split(images, new_label[split.labels[rows]])

    return replace(
        real,
        name=subset_name(real.name, chosen),
        class_names=tuple(real.class_names[label] for label in chosen),
        train=part("train"),
        validation=part("validation"),
        test=part("test"),
        fingerprint=fingerprint,
        splits="",
    )


def rows_of_classes(split: Split, classes: Sequence[int]) -> Tensor:
    """Find all images of some classes.

    Args:
        split: Images and labels.
        classes: Labels of the classes.

    Returns:
        Positions, in the order of the split, (count,), int64.
    """
    return torch.isin(split.labels, torch.tensor(list(classes))).nonzero().flatten()


def check_classes(real: RealSet, classes: Sequence[int]) -> list[int]:
    """Check a choice of classes.

    Args:
        real: The whole data set.
        classes: Labels of the classes.

    Returns:
        The same labels.

    Raises:
        UserError: No class, one given twice, or one that does not exist.
    """
    chosen = [int(label) for label in classes]
    missing = [label for label in chosen if not 0 <= label < real.classes]
    if not chosen or missing or len(set(chosen)) < len(chosen):
        raise UserError(
            f"{chosen} can not be chosen from the classes of {real.name}",
            f"it has {real.classes} classes, 0 to {real.classes - 1}",
            fix="name at least one class, each once",
        )
    return chosen


def subset_fingerprint(real: RealSet, classes: Sequence[int]) -> str:
    """Compute the fingerprint that ``only_classes`` gives, without touching an image.

    Args:
        real: The whole data set.
        classes: Labels of the classes.

    Returns:
        Sixteen hexadecimal digits.
    """
    return artifact.fingerprint({"of": real.fingerprint, "classes": list(classes)})


def subset_name(name: str, classes: Sequence[int]) -> str:
    """Name a data set of some classes.

    Args:
        name: Name of the whole data set.
        classes: Labels of the classes.

    Returns:
        ``"cifar100[0,4,7]"``; beyond ten classes their number and a hash stand for them.
    """
    listed = ",".join(map(str, classes))
    if len(classes) > MOST_NAMED:
        listed = f"{len(classes)}-classes-{artifact.fingerprint(list(classes))[:6]}"
    return f"{name}[{listed}]"


def shuffled_rows(real: RealSet, label: int, generator: torch.Generator) -> Tensor:
    """Shuffle the training rows of a class.

    Args:
        real: The data set.
        label: The class.
        generator: Source of the draws.

    Returns:
        Rows, int64, on the CPU.
    """
    rows = real.train.rows_of_class(label).cpu()
    return rows[torch.randperm(len(rows), generator=generator)]


def random_rows(real: RealSet, ipc: int, generator: torch.Generator) -> Tensor:
    """Draw training rows of every class, without replacement.

    Args:
        real: The data set.
        ipc: Rows per class.
        generator: Source of the draws.

    Returns:
        (classes * ipc,), int64, class-major, on the CPU.

    Raises:
        UserError: A class has fewer than ``ipc`` images.
    """
    real.require_ipc(ipc)
    return torch.cat([shuffled_rows(real, label, generator)[:ipc] for label in range(real.classes)])
