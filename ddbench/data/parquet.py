"""``parquet:PATH``: images inside Parquet files, in the layout of Hugging Face; and CIFAR-10 as JPEG in that form."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from ddbench.data.assemble import LabeledPictures, assemble
from ddbench.data.check import require_gapless
from ddbench.data.constants import CIFAR10, CIFAR10_CLASSES, Constants
from ddbench.data.decode import Pictures
from ddbench.data.parquet_files import ParquetLayout, find_layout
from ddbench.data.parquet_reader import IMAGE_COLUMNS as IMAGE_COLUMNS
from ddbench.data.parquet_reader import LABEL_COLUMNS as LABEL_COLUMNS
from ddbench.data.parquet_reader import class_names, picture_batches, read_labels
from ddbench.data.parquet_reader import guess_column as guess_column
from ddbench.data.parts import SplitPart, choose
from ddbench.data.rawdata import RawData, Request
from ddbench.data.split_names import Role
from ddbench.errors import UserError
from ddbench.files.regular_file import shown_path

CIFAR10_JPEG = "cifar10-jpeg"


def load(request: Request) -> RawData:
    """A folder with ``train*.parquet`` and ``test*.parquet``, or in another layout of the hub; docs/data.md has all.

    The image column is a struct of ``bytes`` and ``path``, the label column an integer; class names come from the
    files' Hugging Face metadata, else they are numbers.

    Args:
        request: ``what`` is the path.

    Returns:
        The set.

    Raises:
        UserError: With the file and what is wrong with it.
    """
    return _load(find_layout(Path(request.what).expanduser(), request), request)


def load_cifar10_jpeg(request: Request) -> RawData:
    """Load CIFAR-10 stored as JPEG, from ``cifar10-jpeg`` under the data root, with CIFAR-10's constants and class
    names.

    JPEG loses detail: accuracies on it are not CIFAR-10's, which is why it has a name of its own.

    Args:
        request: Its data root and size apply.

    Returns:
        The set, its images memory-mapped.

    Raises:
        UserError: Files are missing or damaged, or there are other counts of images.
    """
    root = request.data_root / CIFAR10_JPEG
    if not root.is_dir():
        raise UserError(
            f"{CIFAR10_JPEG} is not under the data root",
            request.origin,
            f"expected {shown_path(root / 'train.parquet')} and {shown_path(root / 'test.parquet')}",
            fix="put them there, or give the folder that has cifar10-jpeg/ with --data-root",
        )
    return _load(find_layout(root, request), request, CIFAR10_JPEG, CIFAR10, CIFAR10_CLASSES)


def _load(
    layout: ParquetLayout,
    request: Request,
    known: str = "",
    constants: Constants | None = None,
    named: tuple[str, ...] | None = None,
) -> RawData:
    parts: dict[Role, SplitPart[LabeledPictures]] = {role: _part(layout, role) for role in layout.files}
    train, first = parts["train"].images.labels, layout.files["train"][0]
    names = named or class_names(first)
    if names is None:
        require_gapless(train, shown_path(first))
        names = tuple(str(i) for i in range(int(train.max()) + 1))
    return assemble(
        names,
        choose(parts),
        request,
        shown_path(layout.root),
        known=known,
        instead="give its folder another name, and read it with parquet:PATH",
        constants=constants,
        notes=layout.notes,
    )


def _part(layout: ParquetLayout, role: Role) -> SplitPart[LabeledPictures]:
    files, context = layout.files[role], shown_path(layout.files[role][0])
    labels = torch.cat([read_labels(path, needed=role == "train") for path in files])
    if not len(labels):
        raise UserError(f"there are no images in {context}", fix="restore it, or remove it")
    batches = partial(picture_batches, files)
    what = f"{shown_path(layout.root.name)} ({role})"
    pictures = Pictures(what=what, count=len(labels), sample=next(batches(), []), batches=batches, files=files)
    return SplitPart(LabeledPictures(pictures, labels), layout.name(role), context)
