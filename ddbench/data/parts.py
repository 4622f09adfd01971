"""The splits of a set as they were found, and which of them are trained, validated and tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor

from ddbench.data.split import stratified_holdout
from ddbench.data.split_names import Role
from ddbench.errors import UserError

TEST_SEED = 20220322  # fixed for good: without a test split, the same fifth of train is the test set in every run


class Labeled(Protocol):
    """Images with their labels, of which some can be taken."""

    @property
    def labels(self) -> Tensor:
        """(n,), int64."""
        ...

    def rows(self, rows: Tensor) -> Any:
        """Take some images.

        Args:
            rows: Ascending positions, (count,), int64.

        Returns:
            Those images with their labels.
        """
        ...


L = TypeVar("L", bound=Labeled)


@dataclass(frozen=True, eq=False)
class SplitPart(Generic[L]):
    """One split as it was found."""

    images: L
    """Images with their labels."""
    name: str
    """How its publishers call it: ``"train/"``."""
    context: str
    """Where it lies, for messages: ``"/data/birds/train"``."""


@dataclass(frozen=True, eq=False)
class Chosen(Generic[L]):
    """Splits that are used."""

    train: SplitPart[L]
    """What is trained on."""
    validation: SplitPart[L] | None
    """What is chosen on; None where it is cut from train."""
    test: SplitPart[L]
    """What is tested on."""
    held_out: bool
    """Whether the test split was held out of train, because there is none of its own."""
    notes: tuple[str, ...]
    """What is not used as its name says, a sentence each."""


def choose(parts: Mapping[Role, SplitPart[L]], *, labeled: Mapping[Role, bool] | None = None) -> Chosen[L]:
    """Decide what is tested on.

    A test split is the test split. A validation split beside it is the validation split; without a test split, or where
    that has no labels, it is the test split. Without either, a fifth of each class of train is held out, at least one
    image, always the same.

    Args:
        parts: All splits that were found, train among them.
        labeled: Which of them have labels, where the source knows; by default those with a label other than -1.

    Returns:
        What is used, with notes on what is not as its name says.

    Raises:
        UserError: Some images of a split have labels and others have none.
    """
    notes, used = [], dict(parts)
    for role in ("test", "validation"):
        if role in used and not _has_labels(used[role], (labeled or {}).get(role, True)):
            notes += [f"{used.pop(role).name} has no labels and is not used"]
    train, test, validation = used["train"], used.get("test"), used.get("validation")
    if test is not None:
        return Chosen(train, validation, test, False, tuple(notes))
    if validation is not None:
        notes.append(f"there is no test split with labels: {validation.name} is the test split")
        return Chosen(train, None, validation, False, tuple(notes))
    labels = train.images.labels
    rest, fifth = stratified_holdout(labels, len(labels) // 5, TEST_SEED, least=1)
    notes.append(f"there is no test split with labels: a fifth of each class of {train.name} is held out for it")
    test = replace(train, images=train.images.rows(fifth), context=f"the fifth held out of {train.context}")
    return Chosen(replace(train, images=train.images.rows(rest)), None, test, True, tuple(notes))


def _has_labels(part: SplitPart[Any], known: bool) -> bool:
    labels = part.images.labels
    without = int((labels == -1).sum())
    if not known or without == len(labels):
        return False
    if without:
        raise UserError(
            f"{without:,} of the {len(labels):,} images of {part.context} have no label (-1)",
            fix="leave them out; a split none of whose images has a label may stay: it is not used",
        )
    return True
