"""ddbench: dataset distillation, benchmarked. The commands as functions; each is imported when first used."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.version import __version__

if TYPE_CHECKING:
    from ddbench.api import distill, load_dataset, load_synthetic, open_buffer, train_experts, train_teachers
    from ddbench.evaluate.evaluation import evaluate
    from ddbench.graph_api import distill_graphs, evaluate_graphs, load_graphs, load_synthetic_graphs

if (Path(__file__).parent / "methods").is_file():  # as git leaves links where the system, or its settings, know none
    warnings.warn(
        "this clone of ddbench has files where it should have symbolic links; it works once it is installed "
        "(pip install -e .), or after: git config core.symlinks true && git checkout -- ddbench",
        stacklevel=2,
    )

__all__ = [
    "__version__",
    "distill",
    "distill_graphs",
    "evaluate",
    "evaluate_graphs",
    "load_dataset",
    "load_graphs",
    "load_synthetic",
    "load_synthetic_graphs",
    "open_buffer",
    "train_experts",
    "train_teachers",
]


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        return importlib.import_module("ddbench.evaluate")  # a package that can be called
    if name not in __all__:
        raise AttributeError(f"module 'ddbench' has no attribute {name!r}")
    module = "graph_api" if name.endswith("graphs") else "api"
    return getattr(importlib.import_module(f"ddbench.{module}"), name)
