"""Dataset distillation and its evaluation: the Python API. Every name is imported when it is first used."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.version import __version__

if TYPE_CHECKING:
    from ddbench import methods, testing
    from ddbench.api.distill import distill, distill_graphs
    from ddbench.api.evaluate import evaluate, evaluate_graphs
    from ddbench.api.experts import open_buffer, train_experts, train_teachers
    from ddbench.api.listings import list_datasets, list_methods, list_networks, list_protocols, list_recipes
    from ddbench.api.load import load_dataset, load_graphs, load_synthetic, load_synthetic_graphs
    from ddbench.api.plugins import register_method
    from ddbench.api.results import leaderboard, load_rows
    from ddbench.api.run import run
    from ddbench.data.realset import RealSet
    from ddbench.errors import UserError
    from ddbench.evaluate.leaderboard.row import Row
    from ddbench.expert_buffers.buffer import ExpertBuffer
    from ddbench.graphs.graphset import GraphSet
    from ddbench.graphs.synthetic_graphs import SyntheticGraphs
    from ddbench.synthetic.synthetic_set import SyntheticSet

if (Path(__file__).parent / "methods").is_file():  # as git leaves links where the system, or its settings, know none
    warnings.warn(
        "this clone of ddbench has files where it should have symbolic links; it works once it is installed "
        "(pip install -e .), or after: git config core.symlinks true && git checkout -- ddbench",
        stacklevel=2,
    )

__all__ = [
    "ExpertBuffer",
    "GraphSet",
    "RealSet",
    "Row",
    "SyntheticGraphs",
    "SyntheticSet",
    "UserError",
    "__version__",
    "distill",
    "distill_graphs",
    "evaluate",
    "evaluate_graphs",
    "leaderboard",
    "list_datasets",
    "list_methods",
    "list_networks",
    "list_protocols",
    "list_recipes",
    "load_dataset",
    "load_graphs",
    "load_rows",
    "load_synthetic",
    "load_synthetic_graphs",
    "methods",
    "open_buffer",
    "register_method",
    "run",
    "testing",
    "train_experts",
    "train_teachers",
]

_PACKAGES = ("evaluate", "methods", "testing")
"""Names that are packages; ``ddbench.evaluate`` is one that can be called."""

_MODULES = {
    "ExpertBuffer": "ddbench.expert_buffers.buffer",
    "GraphSet": "ddbench.graphs.graphset",
    "RealSet": "ddbench.data.realset",
    "Row": "ddbench.evaluate.leaderboard.row",
    "SyntheticGraphs": "ddbench.graphs.synthetic_graphs",
    "SyntheticSet": "ddbench.synthetic.synthetic_set",
    "UserError": "ddbench.errors",
    "distill": "ddbench.api.distill",
    "distill_graphs": "ddbench.api.distill",
    "evaluate_graphs": "ddbench.api.evaluate",
    "leaderboard": "ddbench.api.results",
    "list_datasets": "ddbench.api.listings",
    "list_methods": "ddbench.api.listings",
    "list_networks": "ddbench.api.listings",
    "list_protocols": "ddbench.api.listings",
    "list_recipes": "ddbench.api.listings",
    "load_dataset": "ddbench.api.load",
    "load_graphs": "ddbench.api.load",
    "load_rows": "ddbench.api.results",
    "load_synthetic": "ddbench.api.load",
    "load_synthetic_graphs": "ddbench.api.load",
    "open_buffer": "ddbench.api.experts",
    "register_method": "ddbench.api.plugins",
    "run": "ddbench.api.run",
    "train_experts": "ddbench.api.experts",
    "train_teachers": "ddbench.api.experts",
}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"ddbench.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'ddbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
