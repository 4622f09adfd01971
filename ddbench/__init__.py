"""ddbench: dataset distillation, benchmarked. The commands as functions; each is imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbench.version import __version__

if TYPE_CHECKING:
    from ddbench.commands.api import distill, load_dataset, load_synthetic, open_buffer, train_experts
    from ddbench.evaluate.evaluation import evaluate

__all__ = [
    "__version__",
    "distill",
    "evaluate",
    "load_dataset",
    "load_synthetic",
    "open_buffer",
    "train_experts",
]


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        return importlib.import_module("ddbench.evaluate")  # a package that can be called
    if name not in __all__:
        raise AttributeError(f"module 'ddbench' has no attribute {name!r}")
    return getattr(importlib.import_module("ddbench.commands.api"), name)
