"""What images, labels and learned rates in foreign files must be, whatever the project."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.formats.layout import Facts

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def as_images(value: Any, path: Path, what: str = "images") -> Tensor:
    """Images as (n, C, H, W), float32, free of any graph.

    Errors: UserError for anything but a tensor of four dimensions and finite floating numbers, or an empty one.
    """
    tensor = _tensor(value, path, what)
    if tensor.ndim != 4 or not tensor.numel():
        raise UserError(
            f"the {what} in {path} are not images",
            f"found shape {tuple(tensor.shape)}",
            "want  (images, channels, height, width)",
            fix="give the file of the images, in that order of dimensions",
        )
    if tensor.dtype not in _FLOATS:
        raise UserError(
            f"the {what} in {path} are stored as {str(tensor.dtype).removeprefix('torch.')}",
            fix="save them as float32, in the space they were learned in; integers of 0 to 255 divided by 255",
        )
    images = tensor.to(torch.float32).contiguous()
    if not bool(torch.isfinite(images).all()):
        count = int((~torch.isfinite(images)).flatten(1).any(1).sum())
        raise UserError(
            f"{count} of {len(images)} {what} in {path} have pixels that are no numbers (nan or infinite)",
            fix="the distillation diverged; take a set from an earlier iteration",
        )
    return images


def as_labels(value: Any, path: Path, what: str = "labels") -> Tensor:
    """Labels as (n,), int64, or (n, classes), float32.

    Errors: UserError for another shape or type, and for numbers that are not finite.
    """
    tensor = _tensor(value, path, what)
    if tensor.ndim == 1 and tensor.dtype in _INTEGERS and len(tensor):
        return tensor.to(torch.int64).contiguous()
    if tensor.ndim != 2 or tensor.dtype not in _FLOATS or not tensor.numel():
        raise UserError(
            f"the {what} in {path} are not labels",
            f"found shape {tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}",
            "want  one integer an image, or a row of floating numbers an image",
            fix="give the file of the labels",
        )
    labels = tensor.to(torch.float32).contiguous()
    if not bool(torch.isfinite(labels).all()):
        raise UserError(
            f"the {what} in {path} have numbers that are nan or infinite",
            fix="the distillation diverged; take a set from an earlier iteration",
        )
    return labels


def told_rate(value: Any, path: Path, facts: Facts) -> float | None:
    """The learned rate that a file says; None where it says none, or the user said one. Errors: as in ``as_rate``."""
    return None if value is None or facts.lr is not None else as_rate(value, path)


def as_rate(value: Any, path: Path) -> float:
    """A learned rate, of a number or a tensor of one. Errors: UserError unless it is one, finite and above zero."""
    single = isinstance(value, Tensor) and value.numel() == 1
    rate = value.detach().item() if single else value
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise UserError(f"the learned rate in {path} is no number", fix="say the rate with --lr, or --lr none")
    return check_rate(float(rate), f"in {path}")


def check_rate(rate: float, where: str) -> float:
    """Errors: UserError unless a learned rate is finite and above zero."""
    if not (math.isfinite(rate) and rate > 0):
        raise UserError(
            f"a learned rate of {rate} can train nothing",
            f"from  {where}",
            fix="give a rate above zero with --lr, or --lr none where the method learns no rate",
        )
    return rate


def listed(found: dict[Any, Any]) -> str:
    """The first names in a dictionary, for a message."""
    names = [repr(name)[:20] if isinstance(name, str) else type(name).__name__ for name in list(found)[:6]]
    return ", ".join(names) or "nothing"


def _tensor(value: Any, path: Path, what: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise UserError(
            f"the {what} in {path} are no tensor",
            f"found {type(value).__name__}",
            fix="see  ddbench formats  for what each project's files are",
        )
    return value.detach()
