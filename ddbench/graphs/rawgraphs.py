"""Raw graphs of a source: all graphs, and the known facts about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ddbench.graphs.graphs import Graphs

Metric = Literal["roc-auc", "accuracy"]


@dataclass(frozen=True, eq=False, kw_only=True)
class OfficialSplit:
    """Positions of the three parts among all graphs, as their publishers set them."""

    train: Tensor
    """Positions of training graphs, int64."""
    validation: Tensor
    """Positions of validation graphs, int64."""
    test: Tensor
    """Positions of test graphs, int64."""
    name: str
    """How the split is called."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RawGraphs:
    """A set of graphs before it is split."""

    graphs: Graphs
    """All graphs, with classes 0..C-1."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    metric: Metric | None = None
    """What the field reports; None for ROC-AUC of two classes and accuracy of more."""
    official: OfficialSplit | None = None
    """The split that comes with the set, if one does."""
    notes: tuple[str, ...] = ()
    """What was left out or put in the place of what."""
