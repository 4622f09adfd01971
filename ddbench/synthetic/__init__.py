"""Synthetic sets: images or mosaics, labels, learned rate, and what they were made from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic

_HOME = {
    "SyntheticSet": "ddbench.synthetic.synthetic_set",
    "load_synthetic": "ddbench.synthetic.synthetic_set",
}

__all__ = [
    "SyntheticSet",
    "load_synthetic",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
