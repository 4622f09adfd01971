"""Reads the columns of Parquet files of images, a bounded number of bytes at a time whatever a file claims."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path

IMAGE_COLUMNS = ("image", "img", "png", "jpg", "pixels")
LABEL_COLUMNS = ("label", "fine_label", "labels", "class", "target")
BATCH = 512
BATCH_BYTES = 1 << 26
"""Of images that are held at once."""
MOST_UNPACKED = 50
"""Times its stored size that a column of images may unpack to: encoded images hardly compress."""
SLACK_BYTES = 1 << 28
LARGEST_DICTIONARY = 1 << 29


def guess_column(names: Sequence[str], known: Sequence[str], kind: str, what: str) -> str:
    """Choose the first known name among the columns.

    Args:
        names: Columns there are.
        known: Names that are looked for, in order.
        kind: What the column holds, for messages.
        what: The file, for messages.

    Returns:
        The column.

    Raises:
        UserError: None of them is there; lists both.
    """
    for name in known:
        if name in names:
            return name
    raise UserError(
        f"{what} has no {kind} column",
        f"it has   {', '.join(map(shown_path, names))}",
        f"expected one of {', '.join(known)}",
        fix=f"rename its {kind} column",
    )


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file for the ``with`` block, its claims checked.

    Args:
        path: The file.

    Yields:
        The open file.

    Raises:
        UserError: It is damaged, or reading it inside the block fails.
    """
    size = require_regular(path)
    try:
        with pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
            _require_bounded(file, size, path)
            yield file
    except (UserError, MemoryError):
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise UserError(
            f"{shown_path(path)} is not a readable Parquet file",
            f"why   {shown_path(' '.join(str(error).split())[:300])}",
            fix="restore it from a copy",
        ) from None


def image_column(file: pq.ParquetFile, path: Path) -> str:
    """Find the column of images.

    Args:
        file: The open file.
        path: Its path, for messages.

    Returns:
        Name of the column.

    Raises:
        UserError: There is none, or it is no struct with ``bytes``.
    """
    image = guess_column(file.schema_arrow.names, IMAGE_COLUMNS, "image", shown_path(path))
    kind = file.schema_arrow.field(image).type
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise UserError(
            f"column {image!r} of {shown_path(path)} holds no encoded images",
            f"found    {kind}",
            "expected struct<bytes: binary, path: string>",
            fix="write the set with Hugging Face's datasets, which stores images so",
        )
    return image


def read_labels(path: Path, *, needed: bool) -> Tensor:
    """Read the labels of a file.

    Args:
        path: The file.
        needed: Whether it must have labels.

    Returns:
        (rows,) int64; all -1 where there is no label column, or nothing in it, and none is needed.

    Raises:
        UserError: There is no label column, or it does not hold one integer a row.
    """
    with opened(path) as file:
        names = file.schema_arrow.names
        without = torch.full((file.metadata.num_rows,), -1)
        if not needed and not set(LABEL_COLUMNS) & set(names):
            return without
        label = guess_column(names, LABEL_COLUMNS, "label", shown_path(path))
        kind = file.schema_arrow.field(label).type
        column = file.read(columns=[label]).column(label) if pa.types.is_integer(kind) else None
        if column is not None and not needed and column.null_count == len(column):
            return without
        if column is None or column.null_count:
            empty = "" if column is None else f", {column.null_count} rows empty"
            raise UserError(
                f"column {label!r} of {shown_path(path)} does not hold one integer a row",
                f"found    {kind}{empty}",
                fix="store labels as integers from 0",
            )
        values = column.to_numpy()
        if len(values) and int(values.max()) > np.iinfo(np.int64).max:
            raise UserError(
                f"column {label!r} of {shown_path(path)} holds {values.max()}", fix="store labels as integers from 0"
            )
        return torch.from_numpy(values.astype(np.int64))


def class_names(path: Path) -> tuple[str, ...] | None:
    """Read class names from the metadata that Hugging Face's datasets writes.

    Args:
        path: The file.

    Returns:
        Names in the order of labels; None where the file has none.

    Raises:
        UserError: The metadata is damaged.
    """
    with opened(path) as file:
        names = file.schema_arrow.names
        label = next((name for name in LABEL_COLUMNS if name in names), None)
        text = (file.schema_arrow.metadata or {}).get(b"huggingface")
    if text is None or label is None:
        return None
    try:
        feature: Any = (json.loads(text).get("info") or {}).get("features", {}).get(label) or {}
        listed = feature.get("names")
    except (ValueError, RecursionError, AttributeError) as error:
        raise UserError(
            f"the Hugging Face metadata of {shown_path(path)} is damaged",
            f"why   {shown_path(str(error))[:200]}",
            fix="write the file again, or without it:  table.replace_schema_metadata(None)",
        ) from None
    return tuple(str(name) for name in listed) if isinstance(listed, list) and listed else None


def picture_batches(paths: Sequence[Path]) -> Iterator[Sequence[Picture]]:
    """Read all images of some files in order, as many at once as fit in BATCH_BYTES.

    Args:
        paths: The files.

    Yields:
        Encoded images, one sequence a batch.

    Raises:
        UserError: A row has no image (the first is named), or a file holds more than it can.
    """
    for path in paths:
        with opened(path) as file:
            image = image_column(file, path)
            row = unpacked = 0
            size = path.stat().st_size
            for batch in file.iter_batches(_rows_at_once(file, image, path), columns=[image]):
                cells = batch.column(0).to_pylist()
                pictures = [_picture(cell, path, row + i) for i, cell in enumerate(cells)]
                row, unpacked = row + len(batch), unpacked + sum(len(cell["bytes"]) for cell in cells)
                if unpacked > MOST_UNPACKED * size + SLACK_BYTES:  # one cell that many rows share
                    raise _too_much(path, size, unpacked, row)
                yield pictures


def _picture(cell: dict[str, Any] | None, path: Path, row: int) -> Picture:
    name = f"row {row} of {shown_path(path)}"
    if not cell or not cell.get("bytes"):
        raise UserError(
            f"{name} has no image bytes", fix="write the set with the images embedded, not with their paths"
        )
    return Picture(name, cell["bytes"])


def _require_bounded(file: pq.ParquetFile, size: int, path: Path) -> None:
    """Refuse a file that claims rows or bytes which a set of images of its size cannot have."""
    rows = file.metadata.num_rows
    claimed = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if rows < 0 or claimed < 0 or rows > max(size, 1 << 20) or claimed > MOST_UNPACKED * size + SLACK_BYTES:
        raise _too_much(path, size, claimed, rows)


def _too_much(path: Path, size: int, unpacked: int, rows: int) -> UserError:
    return UserError(
        f"{shown_path(path)} claims to hold more than it can",
        f"found    {size:,} bytes that unpack to {unpacked:,} in {rows:,} rows",
        fix="do not use this file; restore it from where it came",
    )


def _rows_at_once(file: pq.ParquetFile, image: str, path: Path) -> int:
    """How many rows are read at once. A cell of a dictionary may stand in every row, and takes its size in each."""
    largest = 1
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        for index in range(group.num_columns):
            column = group.column(index)
            if column.path_in_schema == f"{image}.bytes":
                largest = max(largest, column.total_uncompressed_size // max(column.num_values, 1))
                if column.has_dictionary_page:
                    largest = max(largest, _dictionary_bytes(path, column.dictionary_page_offset))
    if largest > LARGEST_DICTIONARY:
        raise UserError(
            f"{shown_path(path)} holds an image of up to {largest:,} bytes",
            f"at most {LARGEST_DICTIONARY:,} are read",
            fix="do not use this file; restore it from where it came",
        )
    return max(1, min(BATCH, BATCH_BYTES // largest))


def _dictionary_bytes(path: Path, offset: int | None) -> int:
    """The size of a dictionary page once unpacked, from its header: a Thrift struct (compact) of type, size, ..."""
    with path.open("rb") as stream:
        stream.seek(offset or 4)
        header = stream.read(16)
    values, at = [], 0
    while len(values) < 2:
        if header[at] != 0x15:  # the next field, a 32-bit integer
            raise ValueError("the header of a dictionary page is damaged")
        at, number, shift = at + 1, 0, 0
        while True:
            number, shift, at = number | (header[at] & 0x7F) << shift, shift + 7, at + 1
            if header[at - 1] < 0x80:
                break
        values.append((number >> 1) ^ -(number & 1))
    return values[1]
