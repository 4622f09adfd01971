"""Checks a data set before anything is made of it: classes, labels, splits, and the counts of known names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ddbench.data.known_sets import KNOWN, KnownSet
from ddbench.errors import UserError

MOST_NAMED = 5


def check_classes(
    labels: Mapping[str, Tensor],
    class_names: Sequence[str],
    what: str,
    *,
    of: str = "images",
    locations: Mapping[str, str] | None = None,
    where: str = "",
    fix: str = "",
) -> None:
    """Check that every class has images to train and to test on. A validation split may lack some; that is noted.

    Args:
        labels: Of each split, (n,) int64, in the order in which they are checked.
        class_names: Of the labels 0, 1, ...
        what: The set, for messages.
        of: What it is made of.
        locations: Where each split lies, by its name: ``{"test": "/data/birds/test"}``.
        where: The recipe's line, for messages.
        fix: What to do about a class that is missing; "" for what helps with files.

    Raises:
        UserError: There are fewer than two classes, a label is not one of theirs, or a class is missing in train or
            test.
    """
    origin = f"from     {where}" if where else ""
    if len(class_names) < 2:
        raise UserError(
            f"all {of} of {what} are of one class",
            origin,
            f"found    {', '.join(map(repr, class_names)) or 'no class'}",
            fix="give a set with two classes or more",
        )
    for split, values in labels.items():
        context = (locations or {}).get(split) or f"the {split} split"
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < len(class_names):
            raise UserError(
                f"labels of {context} of {what} do not fit its {len(class_names)} classes",
                origin,
                f"found    {int(values.min())} to {int(values.max())}, expected 0 to {len(class_names) - 1}",
                fix="number the classes from 0 and leave out images without a label",
            )
        counts = torch.bincount(values, minlength=len(class_names))
        missing = (counts == 0).nonzero().flatten().tolist()
        if missing and split != "validation":
            named = ", ".join(repr(class_names[label]) for label in missing[:MOST_NAMED])
            raise UserError(
                f"{len(missing)} of the {len(class_names)} classes of {what} have no {of} in {context}",
                origin,
                f"missing  {named}{' ...' if len(missing) > MOST_NAMED else ''}",
                fix=fix or f"add {of} of every class to {context}, or leave the class out of every split",
            )


def require_gapless(labels: Tensor, what: str) -> None:
    """Check that labels are 0 to C-1, each there.

    Args:
        labels: Of the training images, (n,) integers.
        what: Where they are from, for messages.

    Raises:
        UserError: They begin below or above 0, or one is left out; with the line that numbers them anew.
    """
    without = int((labels == -1).sum())
    if without:
        raise UserError(
            f"{without:,} of the {len(labels):,} images of {what} have no label (-1)",
            fix="leave them out, or give them labels from 0",
        )
    values = labels.unique()
    low, high, count = int(values[0]), int(values[-1]), len(values)
    if (low, high) == (0, count - 1):
        return
    if high - low == count - 1:
        problem, facts = f"labels of {what} begin at {low}", f"found    {low} to {high}, expected 0 to {count - 1}"
        fix = f"subtract {low}:  y = y - {low}  (train and test)" if low > 0 else f"add {-low}:  y = y + {-low}"
        raise UserError(problem, facts, fix=fix)
    listed = torch.arange(low, min(high + 1, low + count + MOST_NAMED))
    absent = listed[~torch.isin(listed, values)][:MOST_NAMED].tolist()
    raise UserError(
        f"labels of {what} have gaps",
        f"found    {count} different labels from {low} to {high}; {', '.join(map(str, absent))} "
        f"{'is' if len(absent) == 1 else 'are'} not there",
        fix="number the classes 0 to C-1:  classes, y_train = np.unique(y_train, return_inverse=True);  "
        "y_test = np.searchsorted(classes, y_test)",
    )


def check_known(name: str, train: Tensor, test: Tensor, classes: int, instead: str, where: str = "") -> None:
    """Check that what is loaded under a known name has the counts that are known of it.

    Args:
        name: As in recipes, such as ``"imagenette"``.
        train: Training labels, validation included, (n,).
        test: Test labels.
        classes: Classes that were found.
        instead: How the same data can be used under a name of its own.
        where: The recipe's line, for messages.

    Raises:
        UserError: A count differs.
    """
    known = KNOWN.get(name)
    if known is None:
        return
    differences = [
        f"{what:8} {count:,} found, {expected} known"
        for what, count, expected in (
            ("classes", classes, f"{known.classes:,}" if classes != known.classes else ""),
            ("train", len(train), _differing(len(train), known.train, known.exact)),
            ("test", len(test), _differing(len(test), known.test, True)),
        )
        if expected
    ]
    differences += _by_class("train", train, known, known.train_each) + _by_class("test", test, known, known.test_each)
    if differences:
        raise UserError(
            f"this is not {name} as it is known by that name",
            f"from     {where}" if where else "",
            *differences,
            fix=f"restore the whole set, with its published split; or use it under a name of its own:  {instead}",
        )


def _differing(count: int, expected: int, exact: bool) -> str:
    """The known number in words where another was found, else nothing."""
    if count == expected or (not exact and count <= expected):
        return ""
    return f"{'' if exact else 'at most '}{expected:,}"


def _by_class(split: str, labels: Tensor, known: KnownSet, bounds: tuple[int, int] | None) -> list[str]:
    if bounds is None or not len(labels):
        return []
    counts = torch.bincount(labels.clamp(0, known.classes - 1), minlength=known.classes)
    low, high = int(counts.min()), int(counts.max())
    if bounds[0] <= low and high <= bounds[1]:
        return []
    expected = f"{bounds[0]}" if bounds[0] == bounds[1] else f"{bounds[0]} to {bounds[1]}"
    return [f"{split:8} {low} to {high} images a class found, {expected} known"]
