"""The contract of methods, under the path by which plugins import it: see ``ddbench.distillation.method``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.distillation.method import (
        DirectMethod,
        Method,
        OptimizedMethod,
        OuterRate,
        OuterStep,
        Task,
        Trajectories,
        student_loss,
    )

_HOME = {
    "DirectMethod": "ddbench.distillation.method",
    "Method": "ddbench.distillation.method",
    "OptimizedMethod": "ddbench.distillation.method",
    "OuterRate": "ddbench.distillation.method",
    "OuterStep": "ddbench.distillation.method",
    "Task": "ddbench.distillation.method",
    "Trajectories": "ddbench.distillation.method",
    "student_loss": "ddbench.distillation.method",
}

__all__ = [
    "DirectMethod",
    "Method",
    "OptimizedMethod",
    "OuterRate",
    "OuterStep",
    "Task",
    "Trajectories",
    "student_loss",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
