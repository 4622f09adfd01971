"""Puts a set of encoded images together: checked by its labels first, then decoded, split by split."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ddbench.data.check import check_classes, check_known
from ddbench.data.constants import Constants
from ddbench.data.decode import Decoded, Pictures, common_form, decoded
from ddbench.data.parts import Chosen, SplitPart
from ddbench.data.pixels import Form
from ddbench.data.rawdata import RawData, Request
from ddbench.data.realset import Split
from ddbench.data.split_words import SplitNames


@dataclass(frozen=True, eq=False)
class LabeledPictures:
    """Encoded images and their labels, in the order in which they are read."""

    pictures: Pictures
    """The images, read when needed."""
    labels: Tensor
    """(n,), int64."""

    def rows(self, rows: Tensor) -> LabeledPictures:
        """Take some images.

        Args:
            rows: Ascending positions, (count,), int64.

        Returns:
            Those images with their labels.
        """
        return LabeledPictures(self.pictures.rows(rows), self.labels[rows])


def assemble(
    class_names: tuple[str, ...],
    chosen: Chosen[LabeledPictures],
    request: Request,
    what: str,
    *,
    known: str = "",
    instead: str = "",
    constants: Constants | None = None,
    form: Form | None = None,
    notes: tuple[str, ...] = (),
) -> RawData:
    """Check the labels of a set, then decode its images through the cache.

    Args:
        class_names: Of the labels 0, 1, ...
        chosen: The splits.
        request: Of the recipe.
        what: The set, for messages.
        known: The known name under which it is loaded; its counts are compared before an image is decoded.
        instead: How the same data can be used under a name of its own.
        constants: Mean and std by channel; None to compute them.
        form: Of every image; None to derive it from the training images.
        notes: What the source has to say.

    Returns:
        The set, its images memory-mapped.

    Raises:
        UserError: As in ``check_classes``, ``check_known`` and ``decoded``.
    """
    parts: dict[str, SplitPart[LabeledPictures]] = {"train": chosen.train, "test": chosen.test}
    if chosen.validation is not None:
        parts["validation"] = chosen.validation
    labels = {name: part.images.labels for name, part in parts.items()}
    if known:
        check_known(known, labels["train"], labels["test"], len(class_names), instead, request.where)
    check_classes(
        labels,
        class_names,
        what,
        locations={name: part.context for name, part in parts.items()},
        where=request.where,
        fix="a class needs two images or more, one to train and one to test on: add some, or add a test split"
        if chosen.held_out
        else "",
    )
    form = form or common_form(chosen.train.images.pictures, request.size)
    read = {name: decoded(part.images.pictures, form, request.home, request.quiet) for name, part in parts.items()}
    splits = {name: Split(read[name].images, labels[name]) for name in parts}
    return RawData(
        class_names=class_names,
        train=splits["train"],
        test=splits["test"],
        validation=splits.get("validation"),
        constants=constants,
        train_sha256=read["train"].sha256,
        test_sha256=read["test"].sha256,
        validation_sha256=read["validation"].sha256 if "validation" in read else "",
        split_names=split_names(chosen),
        notes=(*notes, *chosen.notes, *_transparency(list(read.values()))),
    )


def split_names(chosen: Chosen) -> SplitNames:
    """Collect how the splits that are used are called.

    Args:
        chosen: The splits.

    Returns:
        Names as their publishers give them; "" for a split that is cut from another.
    """
    return SplitNames(
        train=chosen.train.name,
        validation="" if chosen.validation is None else chosen.validation.name,
        test="" if chosen.held_out else chosen.test.name,
        held_out=chosen.held_out,
    )


def _transparency(read: list[Decoded]) -> tuple[str, ...]:
    count, total = sum(part.transparent for part in read), sum(len(part.images) for part in read)
    if not count:
        return ()
    return (f"{count:,} of {total:,} images have transparent pixels: they are composed on white",)
