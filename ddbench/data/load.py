"""From a dataset's name to the real data of a run: found, read, split, and its preprocessing fitted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.data.check import check_classes, check_known
from ddbench.data.fitting import fit_preprocessing
from ddbench.data.preprocessing import check_preprocessing_name
from ddbench.data.rawdata import RawData, Request
from ddbench.data.realset import RealSet, Split
from ddbench.data.sources import find_source
from ddbench.data.split import stratified_holdout, take_rows
from ddbench.data.split_words import splits_in_words
from ddbench.errors import UserError
from ddbench.randomness import derive


def load_dataset(
    name: str,
    *,
    preprocessing: str = "meanstd",
    validation: float = 0.1,
    seed: int = 0,
    home: Path,
    data_root: Path | None = None,
    size: int | None = None,
    mirror: bool | None = None,
    quiet: bool = False,
    where: str = "",
) -> RealSet:
    """Load a data set, checked, with its validation split and a preprocessing fitted on the training images.

    Args:
        name: As ``ddbench datasets`` lists them.
        preprocessing: ``"identity"``, ``"meanstd"``, ``"zca"`` or ``"kip"``.
        validation: Fraction of train, in [0, 1), cut class by class by the seed; above 0, a validation split that comes
            beside a test split is used instead, and train stays whole.
        seed: Of the cut.
        home: Where caches are kept.
        data_root: Where raw data lies or is downloaded to; None for ``home/downloads``.
        size: Side in pixels; None for the images' own.
        mirror: Whether augmentation may flip images; None for what is known of the set (digits are not flipped).
        quiet: Whether no progress is shown.
        where: The recipe's line, for messages.

    Returns:
        The set; its ``splits`` and ``notes`` say what it is made of.

    Raises:
        UserError: For unknown names, fractions and sizes out of range, and data that is missing, damaged, or not
            what a classifier can be trained and tested on.
    """
    reference = find_source(name, where)
    kind = check_preprocessing_name(preprocessing, where)
    _check_numbers(validation, size, where)
    home = Path(home)
    root = reference.data_root or Path(data_root or home / "downloads")
    request = Request(what=reference.what, data_root=root.expanduser(), home=home, size=size, quiet=quiet, where=where)
    with readable(name, where):
        raw = reference.source.load(request)
    _check(raw, reference.short, where)
    with_own = raw.validation is not None and validation > 0
    seed_of_cut = derive(seed, "validation", reference.short)
    train_rows, validation_rows = _validation_rows(raw, 0.0 if with_own else validation, seed_of_cut, where)
    content = raw.train_sha256 or artifact.tensors_sha256({"images": raw.train.images})
    fitted_on = artifact.fingerprint({"images": content, "rows": artifact.tensors_sha256({"rows": train_rows})})
    train = _rows(raw.train, train_rows, home / "data" / content[:16])
    fitted = fit_preprocessing(kind, train.images, fitted_on=fitted_on, constants=raw.constants, home=home, quiet=quiet)
    identity = {
        "name": reference.short,
        "train": fitted_on,
        "labels": artifact.tensors_sha256({"labels": train.labels}),
        "test": raw.test_sha256 or artifact.tensors_sha256({"images": raw.test.images}),
        "test labels": artifact.tensors_sha256({"labels": raw.test.labels}),
        "preprocessing": fitted.fingerprint,
    }
    held_back = raw.validation if with_own else None
    if held_back is None:
        held_back = _rows(raw.train, validation_rows, home / "data" / content[:16])
    else:
        identity["validation"] = raw.validation_sha256 or artifact.tensors_sha256({"images": held_back.images})
        identity["validation labels"] = artifact.tensors_sha256({"labels": held_back.labels})
    return RealSet(
        name=reference.short,
        class_names=raw.class_names,
        train=train,
        validation=held_back,
        test=raw.test,
        preprocessing=fitted,
        fingerprint=artifact.fingerprint(identity),
        mirror=raw.mirror if mirror is None else mirror,
        splits=splits_in_words(len(train), len(held_back), len(raw.test), raw.split_names, own=with_own),
        notes=(*raw.notes, *_validation_notes(raw, held_back, validation)),
    )


@contextmanager
def readable(name: str, where: str) -> Iterator[None]:
    """Name the recipe's line in the errors of whatever reads a set inside the ``with`` block.

    Args:
        name: Name of the data set.
        where: The recipe's line; "" for none.

    Yields:
        Nothing.

    Raises:
        UserError: Reading failed, also where the system does not let it be read.
    """
    try:
        yield
    except UserError as error:
        if not where or any(where in fact for fact in error.facts):
            raise
        raise error.at(where) from error.__cause__
    except OSError as error:
        if artifact.is_disk_full(error):
            raise UserError(
                f"the disk is full: {name} could not be read into the cache",
                f"from  {where}" if where else "",
                fix="free some space, or choose another folder with --home",
            ) from None
        raise UserError(
            f"{name} cannot be read",
            f"from  {where}" if where else "",
            f"why   {error.strerror or error}{f': {error.filename}' if error.filename else ''}",
            fix="check the path and its permissions",
        ) from None


def _check(raw: RawData, name: str, location: str) -> None:
    """The checks of every set, whichever source it is from."""
    labels = {"train": raw.train.labels, "test": raw.test.labels}
    if raw.validation is not None:
        labels["validation"] = raw.validation.labels
    check_classes(labels, raw.class_names, name, where=location)
    check_known(name, raw.train.labels, raw.test.labels, raw.classes, "folder:PATH, parquet:PATH or npz:PATH", location)


def _validation_notes(raw: RawData, held_back: Split, fraction: float) -> Iterator[str]:
    if raw.validation is not None and fraction == 0:
        yield f"{raw.split_names.validation or 'the validation split'} is not used: the validation fraction is 0"
    missing = (torch.bincount(held_back.labels, minlength=raw.classes) == 0).nonzero().flatten().tolist()
    if len(held_back) and missing:
        first = raw.class_names[missing[0]]
        yield f"{len(missing)} of {raw.classes} classes have no validation image, such as {first!r}"


def _check_numbers(validation: float, size: int | None, location: str) -> None:
    origin = f"from  {location}" if location else ""
    if not (math.isfinite(validation) and 0 <= validation < 1):
        raise UserError(
            f"a validation fraction of {validation} is out of range",
            origin,
            fix="choose one from 0 to below 1, such as 0.1",
        )
    if size is not None and not 1 <= size <= 4096:
        raise UserError(f"an image size of {size} is out of range", origin, fix="choose a side of 1 to 4096 pixels")


def _validation_rows(raw: RawData, fraction: float, seed: int, location: str) -> tuple[Tensor, Tensor]:
    count = round(fraction * len(raw.train))
    if fraction > 0 and count == 0:
        raise UserError(
            f"a validation fraction of {fraction} of {len(raw.train)} images is none",
            f"from  {location}" if location else "",
            fix="choose a larger one, or 0",
        )
    if not count:
        return torch.arange(len(raw.train)), torch.zeros(0, dtype=torch.int64)
    return stratified_holdout(raw.train.labels, count, seed)


def _rows(split: Split, rows: Tensor, folder: Path) -> Split:
    return Split(take_rows(split.images, rows, folder), split.labels[rows].to(torch.int64))
