"""The contract of methods, under the path by which plugins import it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.distillation.guard import Guard
    from ddbench.distillation.job_method import JobMethod
    from ddbench.distillation.method import DirectMethod, Method, OptimizedMethod, OuterRate
    from ddbench.distillation.task import OuterStep, Task, Trajectories, student_loss
    from ddbench.recipe.settings import Count, Part, Positive, Settings, Share

_HOME = {
    "Count": "ddbench.recipe.settings",
    "DirectMethod": "ddbench.distillation.method",
    "Guard": "ddbench.distillation.guard",
    "JobMethod": "ddbench.distillation.job_method",
    "Method": "ddbench.distillation.method",
    "OptimizedMethod": "ddbench.distillation.method",
    "OuterRate": "ddbench.distillation.method",
    "OuterStep": "ddbench.distillation.task",
    "Part": "ddbench.recipe.settings",
    "Positive": "ddbench.recipe.settings",
    "Settings": "ddbench.recipe.settings",
    "Share": "ddbench.recipe.settings",
    "Task": "ddbench.distillation.task",
    "Trajectories": "ddbench.distillation.task",
    "student_loss": "ddbench.distillation.task",
}
_RENAMED = {"OptimisedMethod": "OptimizedMethod", "IndependentMethod": "JobMethod"}
"""Names of version 0.1, for the plugins that use them."""

__all__ = [
    "Count",
    "DirectMethod",
    "Guard",
    "JobMethod",
    "Method",
    "OptimizedMethod",
    "OuterRate",
    "OuterStep",
    "Part",
    "Positive",
    "Settings",
    "Share",
    "Task",
    "Trajectories",
    "student_loss",
]


def __getattr__(name: str) -> Any:
    name = _RENAMED.get(name, name)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
