"""The real data: sources, splits and preprocessing. Names are imported when first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.data.load import load_dataset
    from ddbench.data.preprocessing import Preprocessing, require_same_preprocessing
    from ddbench.data.realset import RealSet, Split
    from ddbench.data.sources import check_dataset_name, dataset_table
    from ddbench.data.whitening_cache import load_preprocessing

__all__ = [
    "Preprocessing",
    "RealSet",
    "Split",
    "check_dataset_name",
    "dataset_table",
    "load_dataset",
    "load_preprocessing",
    "require_same_preprocessing",
]

_HOME = {
    "Preprocessing": "preprocessing",
    "RealSet": "realset",
    "Split": "realset",
    "check_dataset_name": "sources",
    "dataset_table": "sources",
    "load_dataset": "load",
    "load_preprocessing": "whitening_cache",
    "require_same_preprocessing": "preprocessing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
