"""The labels that SRe2L stores for every image in every epoch: ``epoch_{e}/batch_{b}.tar``, six values a batch.

Each file is a ``torch.save`` of ``[coords, flips, mix_index, lam, box, logits]``: of B views the crop (B, 4), whether
it is mirrored (B,), the place in the batch of the view mixed in (B,), the mixing weight, the box that CutMix fills, and
the teacher's logits (B, K), usually float16. Read in VILA-Lab/SRe2L at 8d00cba, ``relabel/utils_fkd.py``, and so sure:
coords are top, left, height and width as fractions of the image's height and width; the box is first row, first
column, last row, last column, as its "x" runs along the third dimension of (B, C, H, W); without mixing its three
values are None, and for MixUp the box is. The weight is the one drawn, also where the border cuts the box. Which image
a view shows is in no file: see ``fkd_order``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.class_folders import ClassListing
from ddbench.formats.fkd_batch import StoredBatch, read_batch
from ddbench.formats.fkd_order import order_of_views
from ddbench.formats.reader import Facts, Read
from ddbench.synthetic.epoch_labels import EpochLabels, Mixed


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredLabels:
    """Labels of all epochs, as they were read."""

    labels: EpochLabels
    """Labels and views."""
    files: tuple[Path, ...]
    """Files they came from."""
    notes: tuple[str, ...]
    """How the order of the images was told, and what is doubtful."""


def read_fkd(facts: Facts, listing: ClassListing, real: RealSet) -> StoredLabels:
    """Read the labels in the folder ``facts.epoch_labels``, which go with these images.

    Args:
        facts: What the user said: ``label_epochs`` reads only the first so many epochs, ``order`` is how the images
            were shuffled, see ``fkd_order``.
        listing: The images.
        real: The real data.

    Returns:
        The labels, their files, and notes.

    Raises:
        UserError: Epochs or batches are missing, damaged or do not fit the images and classes; labels do not fit in
            memory; or the order is neither said nor can be told from the labels.
    """
    epochs = _epochs(facts)
    first = read_batch(epochs[0][0], real)
    count, batch = len(listing.paths), len(first.coords)
    _check_memory(len(epochs), count, first, epochs[0][0].parent.parent)
    empty = _empty(len(epochs), count, batch, first)
    sides: set[int] = set()
    for epoch, files in enumerate(epochs):
        start = 0
        for context, file in enumerate(files):
            read = read_batch(file, real)
            _check_batch(read, first, file, last=context == len(files) - 1)
            if start + len(read.coords) > count:
                raise _other_images(files[0].parent, f"more than {count}", count)
            _put(empty, read, epoch, context, start)
            sides.add(max(read.box[2:]))
            start += len(read.coords)
        if start != count:
            raise _other_images(files[0].parent, str(start), count)
    order, order_note = order_of_views(facts.order, listing, empty["logits"])
    labels = EpochLabels(order=order, batch=batch, mixing=first.mixing, **empty)
    notes = (order_note, *_note_on_size(first.mixing, max(sides), real))
    return StoredLabels(labels=labels, files=tuple(file for files in epochs for file in files), notes=notes)


def require_labels_used(facts: Facts, read: Read) -> None:
    """Refuse labels of each epoch for a format that has none, and details of them alone.

    Args:
        facts: What the user said of the files.
        read: What the format read.

    Raises:
        UserError: Options were given that have no effect.
    """
    if facts.epoch_labels is not None and read.epoch_labels is None:
        raise UserError(
            "--labels-from goes with sets of pictures, one folder a class",
            fix="import the pictures with --format sre2l, or --format image-folder",
        )
    if facts.epoch_labels is None and (facts.order is not None or facts.label_epochs is not None):
        raise UserError(
            "--order and --label-epochs say more of --labels-from", fix="give --labels-from, or none of them"
        )


def _epochs(facts: Facts) -> list[list[Path]]:
    """The files of each epoch, in order.

    Raises:
        UserError: A number is missing, or there are too few epochs.
    """
    root = facts.epoch_labels
    if root is None or not root.is_dir():
        raise UserError(f"there is no folder {root}", fix="give the folder that has epoch_0/batch_0.tar")
    folders = _numbered(root, r"epoch_([0-9]+)", "epoch_")
    wanted = len(folders) if facts.label_epochs is None else facts.label_epochs
    if not 1 <= wanted <= len(folders):
        raise UserError(f"{root} has {len(folders)} epochs, not {wanted}", fix=f"--label-epochs 1 to {len(folders)}")
    return [_numbered(folder, r"batch_([0-9]+)\.tar", "batch_") for folder in folders[:wanted]]


def _numbered(folder: Path, pattern: str, word: str) -> list[Path]:
    by_number = {int(match[1]): path for path in folder.iterdir() if (match := re.fullmatch(pattern, path.name))}
    missing = next((number for number in range(len(by_number) + 1) if number not in by_number), 0)
    if not by_number or missing < len(by_number):
        raise UserError(
            f"there is no {word}{missing} in {folder}",
            fix="give the folder that has epoch_0/batch_0.tar, and check that its archive was unpacked whole",
        )
    return [by_number[number] for number in range(len(by_number))]


def _check_memory(epochs: int, count: int, first: StoredBatch, root: Path) -> None:
    needed = epochs * count * first.logits.shape[1] * first.logits.element_size()
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return
    if needed > 0.8 * there:
        most = int(epochs * 0.8 * there / needed)
        raise UserError(
            f"the labels of {epochs} epochs in {root} do not fit in memory",
            f"needed  {needed / 2**30:.1f} GiB of {there / 2**30:.1f}",
            fix=f"read only the first, with --label-epochs {max(1, most)} or less",
        )


def _empty(epochs: int, count: int, batch: int, first: StoredBatch) -> dict[str, Tensor]:
    batches = -(-count // batch)
    return {
        "coords": torch.empty(epochs, count, 4),
        "flips": torch.empty(epochs, count, dtype=torch.bool),
        "partners": torch.empty(epochs, count, dtype=torch.int64),
        "lam": torch.ones(epochs, batches),
        "boxes": torch.zeros(epochs, batches, 4, dtype=torch.int64),
        "logits": torch.empty(epochs, count, first.logits.shape[1], dtype=first.logits.dtype),
    }


def _put(labels: dict[str, Tensor], read: StoredBatch, epoch: int, context: int, start: int) -> None:
    views = slice(start, start + len(read.coords))
    labels["coords"][epoch, views] = read.coords
    labels["flips"][epoch, views] = read.flips
    labels["partners"][epoch, views] = start + read.partners
    labels["logits"][epoch, views] = read.logits.to(labels["logits"].dtype)
    labels["lam"][epoch, context] = read.lam
    labels["boxes"][epoch, context] = torch.tensor(read.box)


def _check_batch(read: StoredBatch, first: StoredBatch, file: Path, *, last: bool) -> None:
    """Refuse a batch that is unlike the first; only the last of an epoch may be smaller."""
    views, full = len(read.coords), len(first.coords)
    if views > full or (views < full and not last):
        raise UserError(
            f"{file} has {views} views, the first batch has {full}",
            fix="check that the labels are of one run, and whole",
        )
    if read.mixing != first.mixing or read.logits.dtype != first.logits.dtype:
        raise UserError(
            f"{file} was made otherwise than the first batch",
            f"found {read.mixing}, {read.logits.dtype}; first {first.mixing}, {first.logits.dtype}",
            fix="give labels of one run",
        )


def _other_images(folder: Path, labeled: str, count: int) -> UserError:
    return UserError(
        f"{folder} labels {labeled} images, but there are {count}",
        fix="give the labels that were made for these images, all of them",
    )


def _note_on_size(mixing: Mixed, side: int, real: RealSet) -> tuple[str, ...]:
    if mixing != "cutmix" or side == real.size:
        return ()
    return (f"no CutMix box reaches pixel {real.size}, the largest ends at {side}: were the labels made at this size?",)
