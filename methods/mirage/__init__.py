"""Mirage: graphs distilled into the sets of computation trees that many of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbench.methods.mirage.trees import computation_tree_ids

if TYPE_CHECKING:
    from ddbench.methods.mirage.method import Mirage

__all__ = ["Mirage", "computation_tree_ids"]


def __getattr__(name: str) -> Any:
    if name != "Mirage":
        raise AttributeError(f"module 'ddbench.methods.mirage' has no attribute {name!r}")
    from ddbench.methods.mirage.method import Mirage

    return Mirage
