"""Accuracy and ROC-AUC of logits."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of rows whose largest logit is that of their class; the first of equals is chosen.

    Args:
        logits: (n, C).
        y: Classes (n,).

    Returns:
        A fraction.
    """
    return (logits.argmax(1) == y).double().mean().item()


def roc_auc(logits: Tensor, y: Tensor) -> float:
    """Area under the ROC curve: of class 1 for two classes, else of each against the rest, averaged.

    Rows are ranked by the log-odds of a class, which orders them as its softmax does, and makes no ties where that has
    saturated.

    Args:
        logits: (n, C).
        y: (n,), two different classes at least; a class that no row has, or every row, is left out of the average.

    Returns:
        A fraction; 0.5 is chance.
    """
    from sklearn.metrics import roc_auc_score

    odds, classes = log_odds(logits.double()), logits.shape[1]
    labels = (1,) if classes == 2 else range(classes)
    areas = [
        float(roc_auc_score((y == label).numpy(), odds[:, label].numpy()))
        for label in labels
        if 0 < int((y == label).sum()) < len(y)
    ]
    return sum(areas) / len(areas)


def log_odds(logits: Tensor) -> Tensor:
    """log(p / (1 - p)) of every class's softmax p.

    Args:
        logits: (n, C).

    Returns:
        (n, C); zeros for a single class.
    """
    classes = logits.shape[1]
    if classes == 1:
        return torch.zeros_like(logits)
    others = ~torch.eye(classes, dtype=torch.bool)
    rest = logits[:, None, :].expand(-1, classes, -1)[:, others].view(len(logits), classes, classes - 1)
    return logits - rest.logsumexp(2)
