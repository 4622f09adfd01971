"""One Parquet file in the layout of Hugging Face's datasets: images, classes, soft labels and what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from ddbench.artifact import canonical, replacing
from ddbench.formats.export import Exported, Exporter, not_exported
from ddbench.formats.export_document import document_of
from ddbench.formats.export_folder import file_in
from ddbench.formats.export_pixels import eight_bit, png
from ddbench.synthetic.synthetic_set import SyntheticSet

SUFFIX = ".parquet"
METADATA = b"ddbench"
ROWS = 500
"""Rows that are written together: viewers read so many at a time."""


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """Write columns ``image`` (PNG bytes), ``label`` (the class) and, of soft labels, ``soft_label``, in the set's
    order.

    Class names and types are in the metadata ``huggingface``, all else that is known of the set in the metadata
    ``ddbench``.

    Args:
        syn: The set, on the CPU.
        out: The file, or the folder in which it is called ``train.parquet``.
        home: Folder of cached whitenings.

    Returns:
        The files, and notes on what they hold otherwise or not at all.

    Raises:
        UserError: The file exists, or the images are no pictures.
    """
    pixels, notes = eight_bit(syn, home)
    file = file_in(out, SUFFIX, f"train{SUFFIX}")
    schema = _schema(syn)
    with replacing(file) as part, pq.ParquetWriter(part, schema, write_page_checksum=True) as writer:
        for table in _tables(syn, pixels, schema):
            writer.write_table(table)
    seen_by = "only ddbench reads the learned rate and the provenance, in the file's metadata"
    mosaics = () if syn.formation == 1 else (f"each picture is a mosaic of {syn.formation} x {syn.formation} images",)
    return Exported(files=(file,), notes=(*notes, *mosaics, seen_by, *not_exported(syn, "student_lr", "provenance")))


def _tables(syn: SyntheticSet, pixels: Tensor, schema: pa.Schema) -> Iterator[pa.Table]:
    classes = syn.made_for()
    for first in range(0, len(syn), ROWS):
        rows = slice(first, first + ROWS)
        images = [
            {"bytes": png(image), "path": f"{position:05d}.png"} for position, image in enumerate(pixels[rows], first)
        ]
        columns: dict[str, Any] = {"image": images, "label": classes[rows].numpy()}
        if syn.label_kind != "hard":
            columns["soft_label"] = list(syn.labels[rows].float().numpy())
        yield pa.table(columns, schema=schema)


def _schema(syn: SyntheticSet) -> pa.Schema:
    """Columns with the features that ``datasets`` shows: pictures, class names, lists of floats."""
    fields = [
        pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])),
        pa.field("label", pa.int64()),
    ]
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(syn.class_names), "_type": "ClassLabel"},
    }
    if syn.label_kind != "hard":
        fields.append(pa.field("soft_label", pa.list_(pa.float32())))
        features["soft_label"] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    about = {"huggingface": json.dumps({"info": {"features": features}}), METADATA: canonical(document_of(syn))}
    return pa.schema(fields, metadata=about)


PARQUET = Exporter(
    name="parquet", title="one Parquet file in Hugging Face's layout: images, classes, soft labels", write=write
)
