"""The memory: synthetic sets of a few classes each, put together to one set over all classes of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddbench.artifact import tensors_sha256
from ddbench.data.class_subset import rows_of_classes
from ddbench.data.preprocessing import require_same_preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.errors import UserError
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import LabelKind


@dataclass(frozen=True, eq=False)
class StepSet:
    """A stored synthetic set."""

    syn: SyntheticSet
    """Synthetic set of a few classes, whose labels count from 0."""
    classes: tuple[int, ...]
    """Which class of the whole data set each of its own labels stands for."""


def merge_memory(parts: Sequence[StepSet], real: RealSet) -> SyntheticSet:
    """One synthetic set of all parts, labeled by the classes of the whole data set.

    Mosaics are decoded. Soft labels become probabilities that are 0 for the classes of other parts; where some parts
    have hard labels, theirs become certain ones. The student's rate is the mean of the parts', None if one has none.

    Args:
        parts: Synthetic sets of a few classes each.
        real: Whole data set, whose classes the parts' classes are numbers of.

    Returns:
        The images of all parts, in their order.

    Raises:
        UserError: Two parts have a class in common, or one has another preprocessing, another size of image, or labels
            of single views, which can not be put together.
    """
    _require_joinable(parts, real)
    seen = [replace(part, syn=part.syn.decoded()) for part in parts]
    hard = all(part.syn.label_kind == "hard" for part in seen)
    labels = [_hard(part) if hard else _soft(part, real.classes) for part in seen]
    kind: LabelKind = "hard" if hard else "probabilities"
    rates = [part.syn.student_lr for part in seen]
    known = [rate for rate in rates if rate is not None]
    first = seen[0].syn
    return SyntheticSet(
        images=torch.cat([part.syn.images for part in seen]),
        labels=torch.cat(labels),
        label_kind=kind,
        student_lr=torch.stack(known).mean() if len(known) == len(rates) else None,
        ipc=max(part.syn.ipc for part in seen),
        dataset=real.name,
        class_names=real.class_names,
        network=first.network,
        preprocessing=first.preprocessing,
        method=first.method,
    )


def split_by_class(syn: SyntheticSet, classes: Sequence[int]) -> StepSet:
    """Part of a set of all classes that some classes have.

    Soft labels become probabilities among these classes alone. Where a label says nothing of them, it is the class
    that its image was made for.

    Args:
        syn: Synthetic set of all classes.
        classes: Classes of the part, as numbers of the set's.

    Returns:
        The images made for these classes, whose labels count from 0 in the order of ``classes``.

    Raises:
        UserError: A set with labels of single views.
    """
    if syn.epoch_labels is not None:
        raise _views_can_not_be_parted(syn)
    chosen = torch.tensor(list(classes))
    made_for = syn.made_for()
    rows = torch.isin(made_for, chosen).nonzero().flatten()
    place = torch.full((syn.classes,), -1, dtype=torch.int64)
    place[chosen] = torch.arange(len(chosen))
    if syn.label_kind == "hard":
        labels, kind = place[syn.labels[rows]], syn.label_kind
    else:
        labels, kind = _among(syn, rows, chosen, place[made_for[rows]]), "probabilities"
    warm = None if syn.warm_images is None else syn.warm_images[rows]
    names = tuple(syn.class_names[label] for label in classes)
    part = replace(syn, images=syn.images[rows], warm_images=warm, labels=labels, label_kind=kind, class_names=names)
    return StepSet(part, tuple(classes))


def seen_test(real: RealSet, classes: Sequence[int]) -> RealSet:
    """Whole data set with the test images of some classes alone.

    Args:
        real: Whole data set.
        classes: Classes seen so far.

    Returns:
        The set with a smaller test split, whose labels are those of the whole.
    """
    rows = rows_of_classes(real.test, classes)
    if len(rows) == len(real.test):
        return real
    return replace(real, test=Split(real.test.images[rows], real.test.labels[rows]))


def memory_sha256(memory: SyntheticSet) -> str:
    """Hash of everything that is trained on.

    Args:
        memory: Set of all parts, as ``merge_memory`` makes it.

    Returns:
        SHA-256 of its tensors, hexadecimal.
    """
    return tensors_sha256(memory.tensors())


def _among(syn: SyntheticSet, rows: Tensor, chosen: Tensor, own: Tensor) -> Tensor:
    """Probabilities among the chosen classes, (rows, chosen).

    Args:
        own: The place of each image's class among them.
    """
    soft_labels = syn.labels[rows][:, chosen]
    shares = soft_labels.softmax(1) if syn.label_kind == "logits" else soft_labels / soft_labels.sum(1, keepdim=True)
    certain = torch.nn.functional.one_hot(own, len(chosen)).to(shares.dtype)
    return torch.where(shares.isfinite().all(1, keepdim=True), shares, certain)


def _hard(part: StepSet) -> Tensor:
    return torch.tensor(part.classes)[part.syn.labels]


def _soft(part: StepSet, classes: int) -> Tensor:
    """Probabilities over all classes, (S, classes)."""
    own = _probabilities(part.syn)
    wide = own.new_zeros(len(own), classes)
    wide[:, torch.tensor(part.classes)] = own
    return wide


def _probabilities(syn: SyntheticSet) -> Tensor:
    if syn.label_kind == "hard":
        return torch.nn.functional.one_hot(syn.labels, syn.classes).float()
    return syn.labels.softmax(1) if syn.label_kind == "logits" else syn.labels


def _require_joinable(parts: Sequence[StepSet], real: RealSet) -> None:
    shape = (real.channels, real.size, real.size)
    for part in parts:
        require_same_preprocessing(
            real.preprocessing.fingerprint, part.syn.preprocessing["fingerprint"], "synthetic set of a step"
        )
        if part.syn.epoch_labels is not None:
            raise _views_can_not_be_parted(part.syn)
        if part.syn.classes != len(part.classes) or tuple(part.syn.images.shape[1:]) != shape:
            raise UserError(
                f"a set of {part.syn.classes} classes of {part.syn.dataset} is no memory of {real.name}",
                f"set   images {tuple(part.syn.images.shape[1:])}, classes {part.syn.classes}",
                f"asked images {shape}, classes {len(part.classes)}",
                fix="distill each step from the classes of that step",
            )
    every = [label for part in parts for label in part.classes]
    if not every or len(set(every)) < len(every) or not all(0 <= label < real.classes for label in every):
        raise UserError(
            f"the classes of the steps do not fit {real.name}: {every}",
            fix="let every class of the data set come in one step at most",
        )


def _views_can_not_be_parted(syn: SyntheticSet) -> UserError:
    return UserError(
        f"the labels of {syn.method} are of single views, mixed over all classes",
        fix="give a set whose labels are of whole images",
    )
