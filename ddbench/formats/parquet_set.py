"""Sets in Parquet files with Hugging Face's images: those that ddbench exports, RethinkDC's, and any others like them.

A column of encoded images (a struct of bytes and path), one of classes (label, or RethinkDC's class_id), and where
there is one, soft_label with a row of numbers an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.formats.find_files import natural, require_path
from ddbench.formats.parquet_columns import ParquetColumns, open_columns, row_batches
from ddbench.formats.pictures import read_pictures
from ddbench.formats.reader import Facts, Read
from ddbench.formats.sidecar import Sidecar


@dataclass(frozen=True)
class ParquetFiles:
    """One file, or a folder of the files of one split."""

    name: str = "parquet"
    title: str = "*.parquet with columns image, label or class_id, and soft_label where labels are soft"
    source: str = "Hugging Face datasets; ddbench export; he-yang/2025-rethinkdc-*"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read all rows of the file, of the files given, or of the folder's ``train*.parquet``, else of all in it.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: A file is damaged or lacks a column, or a row has no image, class or label.
        """
        files = _files(path, facts)
        sources = [open_columns(file, real) for file in files]
        count = sum(source.rows for source in sources)
        classes: list[Tensor] = []
        soft: list[Tensor] = []
        images = read_pictures(_pictures(sources, classes, soft), count, real)
        own = sources[0].own
        read = Read(
            images=images,
            labels=torch.cat(soft) if soft else torch.cat(classes),
            label_kind="hard" if own is None else own.label_kind,
            space="pixels",
            files=tuple(files),
            notes=sources[0].notes,
            labels_named=sources[0].named,
        )
        return _as_exported(read, own) if own is not None else _by_class(read, torch.cat(classes))


def _files(path: Path, facts: Facts) -> list[Path]:
    require_path(path)
    if path.is_file():
        return [path, *facts.others]
    for folder in (path, path / "data"):
        for pattern in ("train*.parquet", "*.parquet"):
            if files := sorted(folder.glob(pattern), key=natural):
                return files
    raise UserError(f"there are no .parquet files in {path}", fix="check the path")


def _pictures(sources: list[ParquetColumns], classes: list[Tensor], soft: list[Tensor]) -> Iterator[Picture]:
    """All pictures, row by row; classes and soft labels are added to the lists on the way."""
    for source in sources:
        for batch in row_batches(source):
            classes.append(batch.classes)
            if batch.soft is not None:
                soft.append(batch.soft)
            yield from batch.pictures


def _as_exported(read: Read, own: Sidecar) -> Read:
    if own.images != len(read.images):
        raise UserError(
            f"there are {len(read.images)} rows, but {own.images} were exported", fix="give all files of the set"
        )
    return replace(
        read, student_lr=own.student_lr, lr_known=True, formation=own.formation, method=own.method, network=own.network
    )


def _by_class(read: Read, classes: Tensor) -> Read:
    """Class by class, in the order of the rows within a class."""
    order = classes.argsort(stable=True)
    if read.labels is None or bool((order == torch.arange(len(order))).all()):
        return read
    note = "rows sorted by class"
    return replace(read, images=read.images[order], labels=read.labels[order], notes=(*read.notes, note))


PARQUET = ParquetFiles()
