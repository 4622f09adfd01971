"""Labels of an imported set: of the real set's classes, and as many of each."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.pixel_space import MissingFacts
from ddbench.formats.reader import Facts, Read
from ddbench.training.losses import LabelKind

_ROUNDING = 1e-2


def checked_labels(
    read: Read, facts: Facts, real: RealSet, missing_facts: MissingFacts
) -> tuple[Tensor, LabelKind, str]:
    """Check the labels of an imported set.

    Args:
        read: What the layout found.
        facts: What the user said of the files.
        real: The real data.
        missing_facts: Takes the option where the kind of soft labels is not known.

    Returns:
        Labels, (n,) int64 or (n, classes) float32, their kind, and a note where they were changed.

    Raises:
        UserError: Classes that the real set has not, numbers of images that are not the same in every class,
            probabilities that are none, or an ipc other than the one that was said.
    """
    count, classes = len(read.images), real.classes
    if read.labels is not None and read.labels.ndim == 1 and len(read.labels) == count:
        _hard(read.labels, real, read.labels_named)
    if count % classes:
        raise UserError(
            f"{count} images can not be equally many of {classes} classes",
            f"of    {real.name}",
            fix="check --dataset, and that all parts of the set were given",
        )
    if facts.ipc is not None and facts.ipc * classes != count:
        raise UserError(
            f"{count} images of {classes} classes are {count // classes} a class, not {facts.ipc}",
            fix=f"leave --ipc out, or say --ipc {count // classes}",
        )
    if read.labels is None:
        _refuse_soft(facts)
        return torch.arange(classes).repeat_interleave(count // classes), "hard", ""
    if len(read.labels) != count:
        raise UserError(
            f"{count} images but {len(read.labels)} labels", fix="give the labels that were saved with the images"
        )
    if read.labels.ndim == 1:
        _refuse_soft(facts)
        return _hard(read.labels, real, read.labels_named), "hard", ""
    return _rows(read, facts, real, missing_facts)


def _refuse_soft(facts: Facts) -> None:
    if facts.labels not in (None, "hard"):
        raise UserError(f"--labels {facts.labels} is said, but the labels are classes", fix="leave --labels out")


def _hard(labels: Tensor, real: RealSet, pictures: bool = False) -> Tensor:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= real.classes:
        raise UserError(
            f"the labels are not classes of {real.name}",
            f"found {low} to {high}",
            f"want  0 to {real.classes - 1}",
            fix="check --dataset; labels that are ImageNet's numbers must be counted from 0, in the subset's order",
        )
    counts = torch.bincount(labels, minlength=real.classes)
    if int(counts.min()) != int(counts.max()):
        raise _uneven(counts, real, pictures)
    return labels


def _uneven(counts: Tensor, real: RealSet, pictures: bool) -> UserError:
    """The error for classes of different size, with what cuts them to the smallest: of tensors a line of torch."""
    fewest, most = int(counts.argmin()), int(counts.argmax())
    least = int(counts[fewest])
    cut = (
        f"leave {least} images in the folder of each class"
        if pictures
        else (
            f"keep = torch.cat([(labels == k).nonzero().flatten()[:{least}] for k in range({real.classes})]); "
            "torch.save((images[keep], labels[keep]), NEW_FILE)"
        )
    )
    return UserError(
        "the classes have different numbers of images",
        f"found {least} of {real.class_names[fewest]!r}",
        f"found {int(counts[most])} of {real.class_names[most]!r}",
        "why   sets of unequal classes are not taken: a set is known by its images per class (ipc)",
        fix=f"cut all classes to the smallest:  {cut}"
        if least
        else "check --dataset, and that all parts of the set were given; a class without images can not be evaluated",
    )


def _rows(read: Read, facts: Facts, real: RealSet, missing_facts: MissingFacts) -> tuple[Tensor, LabelKind, str]:
    labels, kind = read.labels, facts.labels or (None if read.label_kind == "hard" else read.label_kind)
    if labels is None or labels.shape[1] != real.classes:
        columns = 0 if labels is None else labels.shape[1]
        raise UserError(
            f"the labels are over {columns} classes, but {real.name} has {real.classes}", fix="check --dataset"
        )
    if kind is None:
        missing_facts.add("--labels", "what the rows of numbers for labels are", "probabilities|logits|hard")
        return labels, "logits", ""
    if kind == "probabilities":
        _check_probabilities(labels)
    if kind == "hard":
        return _hard(labels.argmax(1), real), "hard", "classes from the largest entry of each label"
    return labels, kind, ""


def _check_probabilities(labels: Tensor) -> None:
    off = (labels.sum(1) - 1).abs().max().item()
    if bool((labels < 0).any()) or off > _ROUNDING:
        raise UserError(
            "the labels are no probabilities",
            f"found a smallest entry of {labels.min().item():.3g}, and sums up to {off:.3g} away from 1",
            fix="say --labels logits where a softmax is to be taken of them",
        )
