"""Unrolls: the student's inner steps, differentiated."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.unroll.adam_step import AdamStep
    from ddbench.unroll.sgd_step import BatchLoss, InnerLoss, SGDStep, batch_order, gradient
    from ddbench.unroll.unroll import (
        AdjointUnroll,
        FullUnroll,
        Outer,
        PullsBack,
        Step,
        TeslaUnroll,
        TruncatedUnroll,
        Unroll,
    )

_HOME = {
    "AdamStep": "ddbench.unroll.adam_step",
    "AdjointUnroll": "ddbench.unroll.unroll",
    "BatchLoss": "ddbench.unroll.sgd_step",
    "FullUnroll": "ddbench.unroll.unroll",
    "InnerLoss": "ddbench.unroll.sgd_step",
    "Outer": "ddbench.unroll.unroll",
    "PullsBack": "ddbench.unroll.unroll",
    "SGDStep": "ddbench.unroll.sgd_step",
    "Step": "ddbench.unroll.unroll",
    "TeslaUnroll": "ddbench.unroll.unroll",
    "TruncatedUnroll": "ddbench.unroll.unroll",
    "Unroll": "ddbench.unroll.unroll",
    "batch_order": "ddbench.unroll.sgd_step",
    "gradient": "ddbench.unroll.sgd_step",
}

__all__ = [
    "AdamStep",
    "AdjointUnroll",
    "BatchLoss",
    "FullUnroll",
    "InnerLoss",
    "Outer",
    "PullsBack",
    "SGDStep",
    "Step",
    "TeslaUnroll",
    "TruncatedUnroll",
    "Unroll",
    "batch_order",
    "gradient",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
