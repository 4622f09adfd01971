"""The forms in which people save labels, brought to one integer or one row of numbers an image where that is sure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError


def plain_labels(value: Any, path: Path, what: str) -> tuple[Any, str]:
    """Bring labels to one of the two plain forms, where that is sure.

    Lists become tensors, a column (n, 1) its numbers, whole floating numbers integers, and rows of one 1 among 0 the
    class of the 1. Floating rows stay: what they are, the user says.

    Args:
        value: What the file holds.
        path: The file, for messages.
        what: The labels' name, for messages.

    Returns:
        The labels, and a note of what was changed; another value as it was.

    Raises:
        UserError: Floating numbers, one an image, are not whole; or integer rows have not one 1 each.
    """
    done = []
    if isinstance(value, list | tuple) and value:
        value = _from_list(value)
        done += ["a list"] if isinstance(value, Tensor) else []
    if not isinstance(value, Tensor) or not value.numel() or value.is_complex():
        return value, ""
    labels = value.detach()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
        done.append("a column")
    if labels.ndim == 1 and labels.is_floating_point():
        if not bool((torch.isfinite(labels) & (labels == labels.round())).all()):
            raise not_labels(value, path, what)
        labels = labels.to(torch.int64)
        done.append("whole floating numbers")
    if labels.ndim == 2 and not labels.is_floating_point():
        if not _one_hot(labels):
            raise not_labels(value, path, what)
        labels = labels.to(torch.int64).argmax(1)
        done.append("integer rows with one 1")
    return labels, f"{what}: {', '.join(done)}, taken for one class an image" if done else ""


def not_labels(labels: Tensor, path: Path, what: str) -> UserError:
    """Make the error for a tensor that is no labels, with the line of torch that makes labels of it.

    Args:
        labels: The tensor.
        path: The file.
        what: The labels' name.

    Returns:
        The error, to be raised.
    """
    kind = str(labels.dtype).removeprefix("torch.")
    if labels.ndim == 2 and labels.shape[1] > 1:
        line = "torch.save(labels.argmax(1), NEW_FILE)  for classes, or labels.float() for soft labels"
    elif labels.ndim == 1 and labels.is_floating_point():
        line = "torch.save(labels.round().long(), NEW_FILE)  where they are classes that were rounded"
    else:
        line = "torch.save(labels.reshape(len(images)).long(), NEW_FILE)  for one integer an image"
    return UserError(
        f"the {what} in {path} are not labels",
        f"found shape {tuple(labels.shape)} of {kind}",
        "want  one integer an image, or a row of floating numbers an image",
        fix=line,
    )


def _from_list(value: list[Any] | tuple[Any, ...]) -> Any:
    """A list of numbers, of lists of numbers, or of tensors of one number as a tensor; others as they were."""
    numbers = [one.item() if isinstance(one, Tensor) and one.numel() == 1 else one for one in value]
    try:
        made = torch.tensor(numbers)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return value
    return value if made.dtype == torch.bool and made.ndim == 1 else made


def _one_hot(rows: Tensor) -> bool:
    whole = rows.to(torch.int64)
    return bool(((whole == 0) | (whole == 1)).all()) and bool((whole.sum(1) == 1).all())
