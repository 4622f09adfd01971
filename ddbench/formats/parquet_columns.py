"""The columns of a Parquet file of images, read a few rows at a time and checked row by row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.parquet import IMAGE_COLUMNS, LABEL_COLUMNS, guess_column
from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.files.torch_file import LARGEST, require_file, unreadable
from ddbench.formats.export_parquet import METADATA
from ddbench.formats.sidecar import Sidecar, read_sidecar

CLASS_COLUMNS = (*LABEL_COLUMNS, "class_id")
SOFT_COLUMNS = ("soft_label", "soft_labels")
ROWS = 64
_BATCH_BYTES = 64 * 2**20
_GROUP_BYTES = 256 * 2**20
"""A group of rows that unpacks to more is read row by row, for a few of its cells may hold nearly all of it."""
_OVERHEAD = 256 * 2**10
"""Bytes of an encoded image beside its pixels: color profiles, descriptions, a thumbnail."""
_BY_NAMES = "classes by their names"


@dataclass(frozen=True, eq=False, kw_only=True)
class ParquetColumns:
    """Columns of a file, looked at without reading a row."""

    path: Path
    """The file."""
    rows: int
    """Number of its rows."""
    image: str
    """Column of encoded images."""
    label: str
    """Column of class numbers."""
    soft: str | None
    """Column of soft labels; None where there is none."""
    classes: Tensor
    """The real set's class of each number, int64."""
    own: Sidecar | None
    """Facts that ddbench wrote about the set; None in files of others."""
    notes: tuple[str, ...]
    """How its classes were told."""
    named: bool
    """Whether that was by their names."""
    batch: int
    """Rows that are read together."""
    largest: int
    """Bytes that an encoded image may have."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a file."""

    pictures: Iterable[Picture]
    """Encoded images, read one after the other."""
    classes: Tensor
    """(n,), int64."""
    soft: Tensor | None
    """Soft labels, (n, K), float32; None where there are none."""


def open_columns(path: Path, real: RealSet) -> ParquetColumns:
    """Look at a file's columns and at what is said of them, without reading a row.

    Args:
        path: The file.
        real: The real data.

    Returns:
        The columns.

    Raises:
        UserError: The file is damaged, unpacks to more than is read, or has no images or classes.
    """
    require_file(path)
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            about = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            groups = [group.total_byte_size for group in about]
            values = [group.column(i) for group in about for i in range(group.num_columns)]
            longest = max((c.num_values for c in values if c.path_in_schema.startswith(SOFT_COLUMNS)), default=0)
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise unreadable(path, error) from None
    if sum(groups) > LARGEST or min(groups, default=0) < 0:
        raise UserError(f"{path} unpacks to more than {LARGEST / 2**30:.0f} GiB", fix="split it into smaller files")
    if longest > rows * real.classes:
        raise UserError(
            f"soft labels in {path} have more numbers than {real.name} has classes",
            f"found {longest:,} in {rows} rows; {real.classes} classes",
            fix="check --dataset",
        )
    largest = _OVERHEAD + 8 * real.channels * real.size**2
    batch = 1 if max(groups, default=0) > _GROUP_BYTES else min(ROWS, max(_BATCH_BYTES // largest, 1))
    image = guess_column(schema.names, IMAGE_COLUMNS, "image", str(path))
    label = guess_column(schema.names, CLASS_COLUMNS, "label", str(path))
    soft = next((name for name in SOFT_COLUMNS if name in schema.names), None)
    _check_types(schema, image, label, soft, path)
    metadata = schema.metadata or {}
    document = _json(metadata.get(METADATA))
    own = None if document is None else read_sidecar(document, f"the metadata of {path}", real)
    classes, note = _classes(_names(_json(metadata.get(b"huggingface")), label), real, path)
    notes = (*(() if own is None else own.notes), note)
    named = own is not None or note == _BY_NAMES
    return ParquetColumns(
        batch=batch,
        largest=largest,
        path=path,
        rows=rows,
        image=image,
        label=label,
        soft=soft,
        classes=classes,
        own=own,
        notes=notes,
        named=named,
    )


def row_batches(source: ParquetColumns) -> Iterator[Rows]:
    """Read the rows of a file, a bounded number at a time.

    Args:
        source: Columns of the file.

    Yields:
        Rows, in order.

    Raises:
        UserError: A row lacks something, or can not be read; names the first.
    """
    columns = [source.image, source.label, *([source.soft] if source.soft else [])]
    first = 0
    try:
        # as a dictionary, a cell that many rows share stays one
        encoded = [f"{source.image}.bytes"]
        with pq.ParquetFile(source.path, page_checksum_verification=True, read_dictionary=encoded) as file:
            for batch in file.iter_batches(source.batch, columns=columns):
                yield _rows(batch, source, first)
                first += len(batch)
    except UserError:
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise unreadable(source.path, error) from None


def _rows(batch: pa.RecordBatch, source: ParquetColumns, first: int) -> Rows:
    cells = batch.column(source.image)
    pictures = (_picture(cell, f"row {first + row} of {source.path}", source) for row, cell in enumerate(cells))
    labels = batch.column(source.label)
    numbers = np.asarray(labels.to_numpy(zero_copy_only=False)) if not labels.null_count else np.empty(0)
    if labels.null_count or len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(source.classes):
        raise UserError(
            f"classes in {source.path} are missing, or none of 0 to {len(source.classes) - 1}",
            f"among rows {first} to {first + len(batch) - 1} of column {source.label!r}",
            fix="check --dataset",
        )
    classes = source.classes[torch.from_numpy(numbers.astype(np.int64))]
    return Rows(pictures, classes, None if source.soft is None else _soft(batch.column(source.soft), source, first))


def _picture(cell: pa.StructScalar, name: str, source: ParquetColumns) -> Picture:
    content = cell["bytes"] if cell.is_valid else None
    while content is not None and isinstance(content, pa.DictionaryScalar):
        content = content.value
    buffer = content.as_buffer() if content is not None and content.is_valid else None
    if not buffer:
        raise UserError(
            f"{name} has no image bytes", fix="write the set with the images embedded, not with their paths"
        )
    if buffer.size > source.largest:
        raise UserError(
            f"{name} is an image of {buffer.size:,} bytes, more than {source.largest:,}",
            fix="check --dataset and --size; encode the images again, without what lies beside their pixels",
        )
    return Picture(name, buffer.to_pybytes())


def _soft(column: pa.Array, source: ParquetColumns, first: int) -> Tensor:
    rows: list[Any] = column.to_pylist()
    width = len(source.classes)
    if any(row is None or len(row) != width or None in row for row in rows):
        raise UserError(
            f"a soft label in {source.path} has not one number for each of the {width} classes",
            f"among rows {first} to {first + len(rows) - 1} of column {source.soft!r}",
            fix="check --dataset",
        )
    labels = torch.tensor(rows, dtype=torch.float32)
    if not bool(torch.isfinite(labels).all()):
        raise UserError(f"a soft label in {source.path} is nan or infinite", fix="take another version of the set")
    return labels


def _check_types(schema: pa.Schema, image: str, label: str, soft: str | None, path: Path) -> None:
    """Refuse images that are no struct with bytes, classes that are no integers, soft labels that are no lists."""
    of_image, of_label = schema.field(image).type, schema.field(label).type
    if not pa.types.is_struct(of_image) or of_image.get_field_index("bytes") < 0:
        raise UserError(
            f"column {image!r} of {path} holds no encoded images",
            f"found {of_image}; want struct<bytes: binary, path: string>",
            fix="write the set with Hugging Face's datasets, which stores images so",
        )
    if not pa.types.is_integer(of_label):
        raise UserError(f"column {label!r} of {path} holds {of_label}, not classes", fix="store integers from 0")
    lists = soft is not None and (
        pa.types.is_list(kind := schema.field(soft).type) or pa.types.is_fixed_size_list(kind)
    )
    if soft is not None and not (lists and pa.types.is_floating(schema.field(soft).type.value_type)):
        raise UserError(f"column {soft!r} of {path} holds no lists of numbers", fix="store a list of floats a row")


def _json(text: bytes | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):  # damaged, or not JSON: as if nothing were said
        return None


def _names(huggingface: Any, label: str) -> Sequence[str] | None:
    """Class names from the metadata that ``datasets`` writes, where they are there."""
    try:
        names = huggingface["info"]["features"][label]["names"]
    except (KeyError, TypeError, IndexError):
        return None
    return [str(name) for name in names] if isinstance(names, list) and names else None


def _classes(names: Sequence[str] | None, real: RealSet, path: Path) -> tuple[Tensor, str]:
    """The real set's class of each number in the label column, and how that was told."""
    own = {name: label for label, name in enumerate(real.class_names)}
    if names is not None and set(names) == set(own) and len(names) == len(own) == real.classes:
        return torch.tensor([own[name] for name in names]), _BY_NAMES
    if names is not None and set(names) & set(own) and tuple(names) != real.class_names:
        strange = sorted(set(names) - set(own))
        raise UserError(
            f"the classes of {path} are not those of {real.name}",
            f"such as  {strange[0]}" if strange else f"found {len(names)} names",
            fix="check --dataset",
        )
    return torch.arange(real.classes), f"classes by their numbers in {path.name}"
