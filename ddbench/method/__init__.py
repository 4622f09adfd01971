"""The contract of methods, under the path by which plugins import it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.distillation.base_method import Method
    from ddbench.distillation.guard import Guard
    from ddbench.distillation.job_method import JobMethod
    from ddbench.distillation.method import DirectMethod, OptimizedMethod
    from ddbench.distillation.outer_optimizer import SGD, Adam, AdamW, Clamp, EmaClip, OuterOptimizer
    from ddbench.distillation.outer_optimizer import SGD as OuterRate
    from ddbench.distillation.task import OuterStep, Task, Trajectories, student_loss
    from ddbench.recipe.settings import Count, Part, Positive, Settings, Share

_HOME = {
    "Adam": "ddbench.distillation.outer_optimizer",
    "AdamW": "ddbench.distillation.outer_optimizer",
    "Clamp": "ddbench.distillation.outer_optimizer",
    "Count": "ddbench.recipe.settings",
    "DirectMethod": "ddbench.distillation.method",
    "EmaClip": "ddbench.distillation.outer_optimizer",
    "Guard": "ddbench.distillation.guard",
    "JobMethod": "ddbench.distillation.job_method",
    "Method": "ddbench.distillation.base_method",
    "OptimizedMethod": "ddbench.distillation.method",
    "OuterOptimizer": "ddbench.distillation.outer_optimizer",
    "OuterStep": "ddbench.distillation.task",
    "Part": "ddbench.recipe.settings",
    "Positive": "ddbench.recipe.settings",
    "SGD": "ddbench.distillation.outer_optimizer",
    "Settings": "ddbench.recipe.settings",
    "Share": "ddbench.recipe.settings",
    "Task": "ddbench.distillation.task",
    "Trajectories": "ddbench.distillation.task",
    "student_loss": "ddbench.distillation.task",
}
_RENAMED = {"OptimisedMethod": "OptimizedMethod", "IndependentMethod": "JobMethod", "OuterRate": "SGD"}
"""Names of version 0.1, for the plugins that use them."""

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Clamp",
    "Count",
    "DirectMethod",
    "EmaClip",
    "Guard",
    "JobMethod",
    "Method",
    "OptimizedMethod",
    "OuterOptimizer",
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
