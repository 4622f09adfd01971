"""``parquet:PATH``: images inside Parquet files, in the layout of Hugging Face; and CIFAR-10 as JPEG in that form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from ddbench.data.constants import CIFAR10, CIFAR10_CLASSES, Constants
from ddbench.data.decode import Picture, Pictures, common_form, decoded
from ddbench.data.rawdata import RawData, Request, check_labels
from ddbench.data.realset import Split
from ddbench.errors import UserError

IMAGE_COLUMNS = ("image", "img", "png", "jpg", "pixels")
LABEL_COLUMNS = ("label", "fine_label", "labels", "class", "target")
TEST_NAMES = ("test", "validation", "valid", "val")
CIFAR10_JPEG = "cifar10-jpeg"
BATCH = 512


def load(request: Request) -> RawData:
    """A folder with ``train*.parquet`` and ``test*.parquet`` (or validation), directly or in its folder ``data``.

    The image column is a struct of ``bytes`` and ``path``, the label column an integer; class names come from the
    files' Hugging Face metadata, else they are numbers. Errors: UserError naming the file and what is wrong with it.
    """
    return _load(Path(request.what).expanduser(), request, None, None)


def load_cifar10_jpeg(request: Request) -> RawData:
    """CIFAR-10 stored as JPEG, from ``cifar10-jpeg`` under the data root, with CIFAR-10's constants and class names.

    JPEG loses detail: accuracies on it are not CIFAR-10's, which is why it has a name of its own.
    """
    root = request.data_root / CIFAR10_JPEG
    if not root.is_dir():
        raise UserError(
            f"{CIFAR10_JPEG} is not under the data root",
            request.origin,
            f"expected {root / 'train.parquet'} and {root / 'test.parquet'}",
            fix="put them there, or give the folder that has cifar10-jpeg/ with --data-root",
        )
    return _load(root, request, CIFAR10, CIFAR10_CLASSES)


def guess_column(names: Sequence[str], known: Sequence[str], kind: str, what: str) -> str:
    """The first known name among the columns. Errors: UserError listing both."""
    for name in known:
        if name in names:
            return name
    raise UserError(
        f"{what} has no {kind} column",
        f"it has   {', '.join(names)}",
        f"expected one of {', '.join(known)}",
        fix=f"rename its {kind} column",
    )


def _load(root: Path, request: Request, constants: Constants | None, named: tuple[str, ...] | None) -> RawData:
    train_files = _files(root, ("train",), request)
    test_files = _files(root, TEST_NAMES, request)
    train_labels, test_labels = _labels(train_files), _labels(test_files)
    names = named or _class_names(train_files[0]) or tuple(str(i) for i in range(int(train_labels.max()) + 1))
    check_labels(train_labels, len(names), str(train_files[0]))
    check_labels(test_labels, len(names), str(test_files[0]))
    train, test = _pictures(train_files, len(train_labels), root), _pictures(test_files, len(test_labels), root)
    form = common_form(train, request.size)
    images = decoded(train, form, request.home, request.quiet)
    test_images = decoded(test, form, request.home, request.quiet)
    return RawData(
        class_names=names,
        train=Split(images.images, train_labels),
        test=Split(test_images.images, test_labels),
        constants=constants,
        train_sha256=images.sha256,
        test_sha256=test_images.sha256,
    )


def _files(root: Path, prefixes: Sequence[str], request: Request) -> list[Path]:
    for folder in (root, root / "data"):
        for prefix in prefixes:
            if found := sorted(folder.glob(f"{prefix}*.parquet")):
                return found
    raise UserError(
        f"there are no {prefixes[0]} images in {root}",
        request.origin,
        f"expected {root / f'{prefixes[0]}*.parquet'}",
        fix="check the path: it is a folder with train*.parquet and test*.parquet",
    )


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} is not a readable Parquet file", f"why   {error}", fix="restore it from a copy"
        ) from None


def _columns(file: pq.ParquetFile, path: Path) -> tuple[str, str]:
    names = file.schema_arrow.names
    image = guess_column(names, IMAGE_COLUMNS, "image", str(path))
    label = guess_column(names, LABEL_COLUMNS, "label", str(path))
    kind = file.schema_arrow.field(image).type
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise UserError(
            f"column {image!r} of {path} holds no encoded images",
            f"found    {kind}",
            "expected struct<bytes: binary, path: string>",
            fix="write the set with Hugging Face's datasets, which stores images so",
        )
    return image, label


def _labels(paths: Sequence[Path]) -> Tensor:
    parts = []
    for path in paths:
        with _open(path) as file:
            label = _columns(file, path)[1]
            kind = file.schema_arrow.field(label).type
            column = file.read(columns=[label]).column(label)
            if not pa.types.is_integer(kind) or column.null_count:
                raise UserError(
                    f"column {label!r} of {path} does not hold one integer a row",
                    f"found    {kind}, {column.null_count} rows empty",
                    fix="store labels as integers from 0",
                )
            parts.append(column.to_numpy().astype(np.int64))
    return torch.from_numpy(np.concatenate(parts))


def _class_names(path: Path) -> tuple[str, ...] | None:
    """Class names from the metadata that Hugging Face's datasets writes, where it did."""
    with _open(path) as file:
        label = _columns(file, path)[1]
        text = (file.schema_arrow.metadata or {}).get(b"huggingface")
    if text is None:
        return None
    names: Any = json.loads(text)["info"]["features"].get(label, {}).get("names")
    return tuple(str(name) for name in names) if isinstance(names, list) and names else None


def _pictures(paths: Sequence[Path], count: int, root: Path) -> Pictures:
    def batches() -> Iterator[Sequence[Picture]]:
        for path in paths:
            with _open(path) as file:
                image = _columns(file, path)[0]
                row = 0
                for batch in file.iter_batches(BATCH, columns=[image]):
                    yield [_picture(cell, path, row + i) for i, cell in enumerate(batch.column(0).to_pylist())]
                    row += len(batch)

    stamp = [[path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return Pictures(what=root.name, count=count, stamp=stamp, sample=next(batches(), []), batches=batches)


def _picture(cell: dict[str, Any] | None, path: Path, row: int) -> Picture:
    name = f"row {row} of {path}"
    if not cell or not cell.get("bytes"):
        raise UserError(
            f"{name} has no image bytes", fix="write the set with the images embedded, not with their paths"
        )
    return Picture(name, cell["bytes"])
