"""Raw graphs of a source: all graphs, and the known facts about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ddbench.graphs.graphs import Graphs

Metric = Literal["roc-auc", "accuracy"]


@dataclass(frozen=True, eq=False, kw_only=True)
class OfficialSplit:
    """Positions of the three parts among all graphs, as their publishers set them, and what the split is called."""

    train: Tensor
    validation: Tensor
    test: Tensor
    name: str


@dataclass(frozen=True, eq=False, kw_only=True)
class RawGraphs:
    """A set of graphs before it is split."""

    graphs: Graphs
    """With classes 0..C-1."""
    class_names: tuple[str, ...]
    metric: Metric | None = None
    """What the field reports; None for ROC-AUC of two classes and accuracy of more."""
    official: OfficialSplit | None = None
    """The split that comes with the set, if one does."""
    notes: tuple[str, ...] = ()
    """What was left out or put in the place of what."""
