"""``hub:NAME``: an image set of the Hugging Face hub, through the optional library ``datasets``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ddbench.data.decode import Picture, Pictures, common_form, decoded
from ddbench.data.parquet import BATCH, IMAGE_COLUMNS, LABEL_COLUMNS, TEST_NAMES, guess_column
from ddbench.data.rawdata import RawData, Request, check_labels
from ddbench.data.realset import Split
from ddbench.errors import UserError


def load(request: Request) -> RawData:
    """The splits train and test (or validation) of a set with one image and one label column, kept under the data root.

    Errors: UserError when the library is absent, the name cannot be loaded, or a split or column is missing.
    """
    splits = _splits(request)
    train = _required(splits, ("train",), request)
    test = _required(splits, TEST_NAMES, request)
    image = guess_column(train.column_names, IMAGE_COLUMNS, "image", request.what)
    label = guess_column(train.column_names, LABEL_COLUMNS, "label", request.what)
    train_labels, test_labels = _labels(train, label, request), _labels(test, label, request)
    known = getattr(train.features[label], "names", None)
    names = tuple(known) if known else tuple(str(i) for i in range(int(train_labels.max()) + 1))
    check_labels(train_labels, len(names), f"{request.what} (train)")
    check_labels(test_labels, len(names), f"{request.what} (test)")
    train_pictures = _pictures(train, image, f"{request.what} (train)")
    form = common_form(train_pictures, request.size)
    images = decoded(train_pictures, form, request.home, request.quiet)
    test_images = decoded(_pictures(test, image, f"{request.what} (test)"), form, request.home, request.quiet)
    return RawData(
        class_names=names,
        train=Split(images.images, train_labels),
        test=Split(test_images.images, test_labels),
        train_sha256=images.sha256,
        test_sha256=test_images.sha256,
    )


def _splits(request: Request) -> Any:
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f"hub:{request.what} needs the library 'datasets', which is not installed",
            request.origin,
            fix='pip install "ddbench[hub]"',
        ) from None
    if request.quiet:
        datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(request.what, cache_dir=str(request.data_root / "huggingface"))
    except Exception as error:  # the library raises its own types, requests' and the operating system's
        raise UserError(
            f"hub:{request.what} could not be loaded",
            request.origin,
            f"why      {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            fix="check the name and the network; a set that needs a configuration can be saved as Parquet and read "
            "with parquet:PATH",
        ) from None


def _required(splits: Any, names: Sequence[str], request: Request) -> Any:
    for name in names:
        if name in splits:
            return splits[name]
    raise UserError(
        f"hub:{request.what} has no {names[0]} split",
        f"it has   {', '.join(splits)}",
        fix="choose another set, or save its parts as train.parquet and test.parquet and read them with parquet:PATH",
    )


def _labels(dataset: Any, column: str, request: Request) -> Tensor:
    values = dataset.select_columns([column])[:][column]
    if not values or not all(isinstance(value, int) for value in values):
        raise UserError(
            f"column {column!r} of hub:{request.what} does not hold one integer a row", fix="choose another set"
        )
    return torch.tensor(values)


def _pictures(dataset: Any, column: str, what: str) -> Pictures:
    from datasets import Image  # pyright: ignore[reportMissingImports]

    encoded = dataset.select_columns([column]).cast_column(column, Image(decode=False))

    def batches() -> Iterator[Sequence[Picture]]:
        for start in range(0, len(encoded), BATCH):
            cells = encoded[start : start + BATCH][column]
            yield [_picture(cell, f"row {start + i} of {what}") for i, cell in enumerate(cells)]

    first = next(batches(), [])
    content = hashlib.sha256(b"".join(picture.source for picture in first if isinstance(picture.source, bytes)))
    stamp = {"hub": what, "fingerprint": dataset._fingerprint, "count": len(encoded), "first": content.hexdigest()}
    return Pictures(what=what, count=len(encoded), stamp=stamp, sample=first, batches=batches)


def _picture(cell: Any, name: str) -> Picture:
    if cell and cell.get("bytes"):
        return Picture(name, cell["bytes"])
    raise UserError(
        f"{name} brings no image of its own",
        "why   it names a file, and files of this machine are not opened because a data set says so",
        fix="choose a set whose images are embedded, or download it and use folder:PATH",
    )
