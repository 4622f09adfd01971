"""One batch of stored labels, checked value by value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.synthetic.epoch_labels import Mixed

_ROUNDING = 1e-3
_LOGITS = (torch.float16, torch.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredBatch:
    """Labels and views of B images."""

    coords: Tensor
    """Crop of each view as fractions of the image, (B, 4), float32: top, left, height, width."""
    flips: Tensor
    """Whether each view is mirrored, (B,), bool."""
    partners: Tensor
    """Position within the batch of the view that is mixed into each, (B,), int64."""
    lam: float
    """Share that each view keeps."""
    box: tuple[int, int, int, int]
    """Part that CutMix takes from the partner, in pixels: left, top, right, bottom; zeros where nothing is cut."""
    logits: Tensor
    """The teacher's logits of the mixed views, (B, K)."""
    mixing: Mixed
    """How views are mixed."""


def read_batch(file: Path, real: RealSet) -> StoredBatch:
    """Read the batch in a file.

    Args:
        file: The file.
        real: The real data.

    Returns:
        The batch, every value checked.

    Raises:
        UserError: The file does not hold six values that fit together and the real data.
    """
    value = read_torch(file)
    if not isinstance(value, list | tuple) or len(value) != 6:
        raise _not_fkd(file, "it does not hold six values")
    coords, flips, partners, lam, box, logits = value
    logits = _tensor(logits, 2, file, "logits")
    count, classes = logits.shape
    if not count or classes != real.classes:
        raise UserError(
            f"{file} labels {count} views of {classes} classes, but {real.name} has {real.classes}",
            fix="check --dataset",
        )
    coords, flips = _tensor(coords, 2, file, "crops"), _tensor(flips, 1, file, "flips")
    if tuple(coords.shape) != (count, 4) or len(flips) != count:
        raise _not_fkd(file, f"{count} labels, crops of shape {tuple(coords.shape)}, {len(flips)} flips")
    numbers, mixing = _mixing(partners, lam, box, file)
    return StoredBatch(
        coords=_coords(coords, file),
        flips=flips != 0,
        partners=_partners(partners, count, file),
        lam=numbers,
        box=_box(box, real, file),
        logits=_finite(logits if logits.dtype in _LOGITS else logits.float(), file, "logits"),
        mixing=mixing,
    )


def _mixing(partners: Any, lam: Any, box: Any, file: Path) -> tuple[float, Mixed]:
    if partners is None:
        if lam is not None or box is not None:
            raise _not_fkd(file, "it says how views are mixed, but not with which")
        return 1.0, "none"
    weight = lam.item() if isinstance(lam, Tensor) and lam.numel() == 1 else lam
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not -1e-6 <= weight <= 1 + 1e-6:
        raise _not_fkd(file, "its mixing weight is no number in [0, 1]")
    return min(max(float(weight), 0.0), 1.0), "mixup" if box is None else "cutmix"


def _coords(coords: Tensor, file: Path) -> Tensor:
    coords = _finite(coords.to(torch.float32), file, "crops")
    corner, extent = coords[:, :2], coords[:, 2:]
    if bool((corner < -_ROUNDING).any() | (extent <= 0).any() | (corner + extent > 1 + _ROUNDING).any()):
        raise _not_fkd(file, "its crops are not fractions of an image: top, left, height, width")
    return coords


def _partners(partners: Any, count: int, file: Path) -> Tensor:
    if partners is None:
        return torch.arange(count)
    positions = _tensor(partners, 1, file, "mixed views")
    if positions.is_floating_point() or positions.dtype == torch.bool or len(positions) != count:
        raise _not_fkd(file, "the places of its mixed views are not one integer a view")
    positions = positions.to(torch.int64)
    if int(positions.min()) < 0 or int(positions.max()) >= count:
        raise _not_fkd(file, f"a mixed view is not among the {count} of the batch")
    return positions


def _box(box: Any, real: RealSet, file: Path) -> tuple[int, int, int, int]:
    """left, top, right, bottom; the file has rows first."""
    if box is None:
        return 0, 0, 0, 0
    values = box.tolist() if isinstance(box, Tensor) and box.ndim == 1 else box
    whole = isinstance(values, list | tuple) and len(values) == 4
    if not whole or not all(_is_whole(value) for value in values):
        raise _not_fkd(file, "its box is not four whole numbers")
    top, left, bottom, right = (int(value) for value in values)
    if not (0 <= top <= bottom <= real.size and 0 <= left <= right <= real.size):
        raise UserError(
            f"the box of {file} lies outside of images of {real.size} pixels",
            f"found rows {top} to {bottom}, columns {left} to {right}",
            fix="load the data in the size at which the labels were made, with --size",
        )
    return left, top, right, bottom


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value == int(value)


def _tensor(value: Any, dimensions: int, file: Path, what: str) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim != dimensions:
        raise _not_fkd(file, f"its {what} are no tensor of {dimensions} dimensions")
    return value.detach()


def _finite(tensor: Tensor, file: Path, what: str) -> Tensor:
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
        raise _not_fkd(file, f"its {what} hold values that are no finite numbers")
    return tensor


def _not_fkd(file: Path, why: str) -> UserError:
    return UserError(
        f"{file} holds no labels of a batch as SRe2L stores them",
        f"why   {why}",
        "want  [crops (B, 4), flips (B), mixed views (B), weight, box, logits (B, classes)]",
        fix="give the folder with epoch_0/batch_0.tar that SRe2L's relabel/generate_soft_label.py wrote",
    )
