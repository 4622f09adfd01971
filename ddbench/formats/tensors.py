"""Checks of images, labels and learned rates in foreign files, whatever the project."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.formats.label_forms import not_labels, plain_labels
from ddbench.formats.reader import Facts

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def as_images(value: Any, path: Path, what: str = "images", notes: list[str] | None = None) -> Tensor:
    """Check images, and bring them to (n, C, H, W).

    Args:
        value: What the file holds.
        path: The file, for messages.
        what: The images' name, for messages.
        notes: Takes a sentence where the order of dimensions had to be changed; None where it is to be refused.

    Returns:
        (n, C, H, W), float32, free of any graph.

    Raises:
        UserError: It is no tensor of four dimensions and finite floating numbers, or an empty one.
    """
    tensor = _tensor(value, path, what)
    if notes is not None and (note := _channels_last(tensor)):
        tensor = tensor.permute(0, 3, 1, 2)
        notes.append(f"{what}: {note}")
    elif (
        notes is not None and tensor.ndim == 3 and tensor.shape[1] == tensor.shape[2] and tensor.shape[0] not in (1, 3)
    ):
        notes.append(f"{what}: of shape {tuple(tensor.shape)}, taken for one channel each")
        tensor = tensor[:, None]
    if tensor.ndim != 4 or not tensor.numel():
        raise UserError(
            f"the {what} in {path} are not images",
            f"found shape {tuple(tensor.shape)}",
            "want  (images, channels, height, width)",
            fix="give the file of the images, in that order of dimensions; where channels come last:  "
            "torch.save(images.permute(0, 3, 1, 2), NEW_FILE)",
        )
    if tensor.dtype not in _FLOATS:
        raise UserError(
            f"the {what} in {path} are stored as {str(tensor.dtype).removeprefix('torch.')}",
            fix="save them as float32, in the space they were learned in; integers of 0 to 255 divided by 255:  "
            "torch.save(images.float() / 255, NEW_FILE)",
        )
    images = tensor.to(torch.float32).contiguous()
    if not bool(torch.isfinite(images).all()):
        count = int((~torch.isfinite(images)).flatten(1).any(1).sum())
        raise UserError(
            f"{count} of {len(images)} {what} in {path} have pixels that are no numbers (nan or infinite)",
            fix="the distillation diverged; take a set from an earlier iteration",
        )
    return images


def _channels_last(images: Tensor) -> str:
    """A note where images can only be (n, H, W, C): square, of more than four pixels, with one or three channels."""
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.shape[1] != images.shape[2] or images.shape[1] <= 4:
        return ""
    return f"of shape {tuple(images.shape)}, taken for (images, height, width, channels)"


def as_labels(value: Any, path: Path, what: str = "labels", notes: list[str] | None = None) -> Tensor:
    """Check labels, and bring them to one of the two plain forms.

    Args:
        value: What the file holds.
        path: The file, for messages.
        what: The labels' name, for messages.
        notes: Takes a sentence where another form was brought to these without any doubt; None where it is refused.

    Returns:
        (n,), int64, or (n, classes), float32.

    Raises:
        UserError: They have another shape or type, or numbers that are not finite.
    """
    if notes is not None:
        value, note = plain_labels(value, path, what)
        notes += [note] if note else []
    tensor = _tensor(value, path, what)
    if tensor.ndim == 1 and tensor.dtype in _INTEGERS and len(tensor):
        return tensor.to(torch.int64).contiguous()
    if tensor.ndim != 2 or tensor.dtype not in _FLOATS or not tensor.numel():
        raise not_labels(tensor, path, what)
    labels = tensor.to(torch.float32).contiguous()
    if not bool(torch.isfinite(labels).all()):
        raise UserError(
            f"the {what} in {path} have numbers that are nan or infinite",
            fix="the distillation diverged; take a set from an earlier iteration",
        )
    return labels


def stated_rate(value: Any, path: Path, facts: Facts) -> float | None:
    """Check the learned rate that a file gives, unless the user gave one.

    Args:
        value: What the file holds; None for nothing.
        path: The file, for messages.
        facts: What the user said of the files.

    Returns:
        The rate; None where the file gives none, or the user gave one.

    Raises:
        UserError: As in :func:`as_rate`.
    """
    return None if value is None or facts.lr is not None else as_rate(value, path)


def as_rate(value: Any, path: Path) -> float:
    """Check a learned rate.

    Args:
        value: A number, or a tensor of one.
        path: The file, for messages.

    Returns:
        The rate.

    Raises:
        UserError: It is no number, not finite, or not above zero.
    """
    single = isinstance(value, Tensor) and value.numel() == 1
    rate = value.detach().item() if single else value
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise UserError(f"the learned rate in {path} is no number", fix="say the rate with --lr, or --lr none")
    return check_rate(float(rate), f"in {path}")


def check_rate(rate: float, where: str) -> float:
    """Check that a learned rate is finite and above zero.

    Args:
        rate: The rate.
        where: The place it is from, for the message.

    Returns:
        The same rate.

    Raises:
        UserError: It can train nothing.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise UserError(
            f"a learned rate of {rate} can train nothing",
            f"from  {where}",
            fix="give a rate above zero with --lr, or --lr none where the method learns no rate",
        )
    return rate


def listed(content: dict[Any, Any]) -> str:
    """List the first names in a dictionary, for a message.

    Args:
        content: The dictionary.

    Returns:
        Six names at most.
    """
    names = [repr(name)[:20] if isinstance(name, str) else type(name).__name__ for name in list(content)[:6]]
    return ", ".join(names) or "nothing"


def _tensor(value: Any, path: Path, what: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise UserError(
            f"the {what} in {path} are no tensor",
            f"found {type(value).__name__}",
            fix="see  ddbench formats  for what each project's files are",
        )
    return value.detach()
