"""Integers of labels where class folders are called by numbers: positions in a listing, or the numbers themselves.

``torchvision``'s ImageFolder sorts folders by their names as text, 0, 1, 10, 11, 2, and gives each its position. Who
reads the number from the folder's name gives another integer. Nothing in the labels says which it was.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.pixel_space import MissingFacts
from ddbench.formats.reader import Facts, Read


def with_classes_named(read: Read, facts: Facts, real: RealSet, missing_facts: MissingFacts) -> tuple[Read, str]:
    """Number the classes as the real data does, and note which class each integer was taken for.

    Args:
        read: What the layout found; its labels stay where it told classes by their names.
        facts: What integers are, or nothing, and whether the real data are class folders.
        real: The real data, whose class names tell which folders are called by numbers.
        missing_facts: Takes the option where the two readings differ and nothing is said.

    Returns:
        The set with the real set's numbers for classes, and the note.

    Raises:
        UserError: ``--labels-are`` is given where no class is called by a number, or a label is no such number.
    """
    numbers = [int(name) if name.isdecimal() and name.isascii() else -1 for name in real.class_names]
    numeric = -1 not in numbers and len(set(numbers)) == len(numbers)
    if read.labels_named or not (numeric and (facts.class_folders or facts.labels_are)):
        if facts.labels_are is not None and not read.labels_named:
            raise UserError(
                f"--labels-are is for classes that are called by numbers, and {real.name} has others",
                f"such as  {real.class_names[0]}",
                fix="leave --labels-are out",
            )
        return read, ""
    as_text = sorted(range(real.classes), key=lambda label: real.class_names[label])
    by_position = dict(enumerate(as_text))
    by_name = {number: label for label, number in enumerate(numbers)}
    if facts.labels_are is None and by_position != by_name:
        differs = next(context for context in range(real.classes) if by_position[context] != by_name.get(context))
        theirs = real.class_names[by_position[differs]]
        missing_facts.add(
            "--labels-are",
            "what the integers are: positions of folders sorted as text, as in torchvision's ImageFolder "
            f"({differs} is the folder {theirs!r}), or the numbers that folders are called ({differs} is {differs})",
            "position|name",
        )
        return read, ""
    classes = by_position if facts.labels_are == "position" else by_name
    named = ", ".join(f"{number} is {real.class_names[classes[number]]!r}" for number in sorted(classes)[:12])
    more = ", ..." if len(classes) > 12 else ""
    return replace(read, labels=_renumbered(read, classes, real)), f"labels: {named}{more}"


def _renumbered(read: Read, classes: dict[int, int], real: RealSet) -> Tensor | None:
    """Labels in the real set's numbers; None of a set that is sorted by class, where that order is the real set's."""
    per_class, left = divmod(len(read.images), real.classes)
    labels = read.labels
    if labels is None:
        if left or list(classes.values()) == list(range(real.classes)):
            return None
        labels = torch.tensor(sorted(classes)).repeat_interleave(per_class)
    if labels.ndim == 2:
        if labels.shape[1] != real.classes:
            return labels
        order = torch.tensor([classes[number] for number in sorted(classes)])
        moved = torch.empty_like(labels)
        moved[:, order] = labels
        return moved
    strange = sorted(set(labels.tolist()) - set(classes))
    if strange:
        raise UserError(
            f"the label {strange[0]} is no class of {real.name}",
            f"known {', '.join(map(str, sorted(classes)[:12]))}{', ...' if len(classes) > 12 else ''}",
            fix="check --dataset, and --labels-are",
        )
    return torch.tensor([classes[number] for number in labels.tolist()])
