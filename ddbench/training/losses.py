"""Losses of a classifier on a batch, one for each kind of label a synthetic set can carry."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional

from ddbench.errors import unknown

LabelKind = Literal["hard", "probabilities", "logits"]


def classification_loss(logits: Tensor, labels: Tensor, kind: str = "hard") -> Tensor:
    """Compute the cross-entropy of a batch, averaged over its images.

    Differentiable in logits and in soft labels, and usable under ``torch.func``.

    Args:
        logits: (B, K).
        labels: (B,) int64 classes where kind is "hard"; (B, K) class probabilities where it is "probabilities"; (B, K)
            logits, of which the softmax is taken, where it is "logits".
        kind: Kind of the labels.

    Returns:
        Scalar, in nats.

    Raises:
        UserError: Another kind.
    """
    if kind == "logits":
        labels = labels.softmax(1)
    elif kind not in ("hard", "probabilities"):
        raise unknown("kind of label", kind, get_args(LabelKind))
    return functional.cross_entropy(logits, labels)


def hard_labels(labels: Tensor) -> Tensor:
    """Reduce labels of any kind to classes.

    Args:
        labels: Classes (B,), or soft labels (B, K).

    Returns:
        The class of each image, (B,) int64; of soft labels the largest entry.
    """
    return labels if labels.dim() == 1 else labels.argmax(1)
