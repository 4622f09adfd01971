"""From a dataset's name to the real data of a run: found, read, split, and its preprocessing fitted."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from ddbench import artefact
from ddbench.data.fitting import fit_preprocessing
from ddbench.data.preprocessing import check_preprocessing_name
from ddbench.data.rawdata import RawData, Request
from ddbench.data.realset import RealSet, Split
from ddbench.data.sources import find_source
from ddbench.data.split import stratified_holdout, take_rows
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
    """The dataset of this name with a validation split cut from train and a preprocessing fitted on the rest.

    preprocessing: ``"identity"``, ``"meanstd"`` or ``"zca"``. validation: fraction of train, in [0, 1), cut class by
    class by the seed. home: where caches are kept. data_root: where raw data lies or is downloaded to; None for
    ``home/downloads``. size: side in pixels; None for the images' own. mirror: whether augmentation may flip images;
    None for what is known of the set (digits are not flipped). where: the recipe's line, for messages.
    Errors: UserError for unknown names, fractions and sizes out of range, and data that is missing or damaged.
    """
    found = find_source(name, where)
    kind = check_preprocessing_name(preprocessing, where)
    _check_numbers(validation, size, where)
    home = Path(home)
    root = found.data_root or Path(data_root or home / "downloads")
    raw = found.source.load(
        Request(what=found.what, data_root=root.expanduser(), home=home, size=size, quiet=quiet, where=where)
    )
    kept, held = _validation_rows(raw, validation, derive(seed, "validation", found.short), where)
    content = raw.train_sha256 or artefact.tensors_sha256({"images": raw.train.images})
    fitted_on = artefact.fingerprint({"images": content, "rows": artefact.tensors_sha256({"rows": kept})})
    train = _rows(raw.train, kept, home / "data" / content[:16])
    fitted = fit_preprocessing(kind, train.images, fitted_on=fitted_on, constants=raw.constants, home=home, quiet=quiet)
    identity = {
        "name": found.short,
        "train": fitted_on,
        "labels": artefact.tensors_sha256({"labels": train.labels}),
        "test": raw.test_sha256 or artefact.tensors_sha256({"images": raw.test.images}),
        "test labels": artefact.tensors_sha256({"labels": raw.test.labels}),
        "preprocessing": fitted.fingerprint,
    }
    return RealSet(
        name=found.short,
        class_names=raw.class_names,
        train=train,
        validation=_rows(raw.train, held, home / "data" / content[:16]),
        test=raw.test,
        preprocessing=fitted,
        fingerprint=artefact.fingerprint(identity),
        mirror=raw.mirror if mirror is None else mirror,
    )


def _check_numbers(validation: float, size: int | None, where: str) -> None:
    origin = f"from  {where}" if where else ""
    if not (math.isfinite(validation) and 0 <= validation < 1):
        raise UserError(
            f"a validation fraction of {validation} is out of range",
            origin,
            fix="choose one from 0 to below 1, such as 0.1",
        )
    if size is not None and not 1 <= size <= 4096:
        raise UserError(f"an image size of {size} is out of range", origin, fix="choose a side of 1 to 4096 pixels")


def _validation_rows(raw: RawData, fraction: float, seed: int, where: str) -> tuple[Tensor, Tensor]:
    count = round(fraction * len(raw.train))
    if fraction > 0 and count == 0:
        raise UserError(
            f"a validation fraction of {fraction} of {len(raw.train)} images is none",
            f"from  {where}" if where else "",
            fix="choose a larger one, or 0",
        )
    return stratified_holdout(raw.train.labels, count, seed)


def _rows(split: Split, rows: Tensor, folder: Path) -> Split:
    return Split(take_rows(split.images, rows, folder), split.labels[rows].to(torch.int64))
