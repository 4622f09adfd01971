"""``hub:NAME``: an image set of the Hugging Face hub, through the optional library ``datasets``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ddbench.data.assemble import LabeledPictures, assemble
from ddbench.data.check import require_gapless
from ddbench.data.decode import Pictures
from ddbench.data.parquet_reader import BATCH, IMAGE_COLUMNS, LABEL_COLUMNS, guess_column
from ddbench.data.parts import SplitPart, choose
from ddbench.data.pixels import Picture
from ddbench.data.rawdata import RawData, Request
from ddbench.data.split_names import NAMES, Role, roles_of
from ddbench.errors import UserError


def load(request: Request) -> RawData:
    """Load the splits of a set with one image and one label column, kept under the data root.

    Args:
        request: ``what`` is the name on the hub.

    Returns:
        The set.

    Raises:
        UserError: The library is absent, the name cannot be loaded, or a split or column is missing.
    """
    splits = _splits(request)
    roles, others = roles_of(splits, f"hub:{request.what}")
    if "train" not in roles:
        raise UserError(
            f"hub:{request.what} has no train split",
            f"it has   {', '.join(splits)}",
            fix="choose another set, or save its parts as train.parquet and test.parquet and read them with "
            "parquet:PATH",
        )
    train = splits[roles["train"]]
    image = guess_column(train.column_names, IMAGE_COLUMNS, "image", request.what)
    label = guess_column(train.column_names, LABEL_COLUMNS, "label", request.what)
    parts: dict[Role, SplitPart[LabeledPictures]] = {}
    for role, name in roles.items():
        parts[role] = _part(splits[name], name, image, label, role, request)
    known = getattr(train.features[label], "names", None)
    if known is None:
        require_gapless(parts["train"].images.labels, f"hub:{request.what} (train)")
        known = range(int(parts["train"].images.labels.max()) + 1)
    return assemble(
        tuple(str(name) for name in known),
        choose(parts),
        request,
        f"hub:{request.what}",
        notes=tuple(
            f"the split {name} is not read: splits are called {', '.join(n for names in NAMES.values() for n in names)}"
            for name in others
        ),
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


def _part(dataset: Any, name: str, image: str, label: str, role: Role, request: Request) -> SplitPart[LabeledPictures]:
    what = f"{request.what} ({name})"
    if role != "train" and label not in dataset.column_names:
        labels = torch.full((len(dataset),), -1)
    else:
        labels = _labels(dataset, label, role, request)
    pictures = _pictures(dataset, guess_column(dataset.column_names, (image,), "image", what), what)
    return SplitPart(LabeledPictures(pictures, labels), f"the split {name}", f"the split {name}")


def _labels(dataset: Any, column: str, role: Role, request: Request) -> Tensor:
    values = dataset.select_columns([column])[:][column]
    if role != "train" and all(value is None for value in values):
        return torch.full((len(values),), -1)
    if not values or not all(isinstance(value, int) and abs(value) < 1 << 62 for value in values):
        raise UserError(
            f"column {column!r} of hub:{request.what} does not hold one integer a row", fix="choose another set"
        )
    return torch.tensor(values)


def _pictures(dataset: Any, column: str, what: str) -> Pictures:
    from datasets import Image  # pyright: ignore[reportMissingImports]

    encoded = dataset.select_columns([column]).cast_column(column, Image(decode=False))

    def batches() -> Iterator[Sequence[Picture]]:
        for start in range(0, len(encoded), BATCH):
            yield [_picture(cell, f"row {start + i} of {what}") for i, cell in enumerate(_cells(start))]

    def _cells(start: int) -> list[Any]:
        try:
            return encoded[start : start + BATCH][column]
        except Exception as error:  # its files may be damaged, and the library raises many types
            raise UserError(
                f"the images of {what} cannot be read",
                f"why   {type(error).__name__}: {' '.join(str(error).split())[:300]}",
                fix="remove the set's folder from huggingface/ under the data root, so that it is downloaded again",
            ) from None

    files = [entry["filename"] for entry in getattr(dataset, "cache_files", None) or []]
    part = f"{what} {column} {dataset._fingerprint}"
    return Pictures(what=what, count=len(encoded), sample=next(batches(), []), batches=batches, files=files, part=part)


def _picture(cell: Any, name: str) -> Picture:
    if cell and cell.get("bytes"):
        return Picture(name, cell["bytes"])
    raise UserError(
        f"{name} brings no image of its own",
        "why   it names a file, and files of this machine are not opened because a data set says so",
        fix="choose a set whose images are embedded, or download it and use folder:PATH",
    )
