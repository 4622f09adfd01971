"""The real graphs of a run: three splits, what their codes mean, and how the field scores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from ddbench.data.split_words import splits_in_words
from ddbench.errors import UserError
from ddbench.graphs.graphs import Graphs


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphSet:
    """Real graphs with labels, divided for training, validation and test."""

    DOMAIN: ClassVar[str] = "graphs"
    """Name of its domain."""
    name: str
    """Name in rows, such as ``"tu-NCI1"``."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    train: Graphs
    """Graphs to distill."""
    validation: Graphs
    """Graphs to choose on; may be empty."""
    test: Graphs
    """Graphs on which networks are tested."""
    node_cardinalities: tuple[int, ...]
    """Column j has the codes ``0..cardinality-1`` over all splits."""
    edge_cardinalities: tuple[int, ...]
    """Column j has the codes ``0..cardinality-1`` over all splits."""
    split: str
    """How the set is divided, in words."""
    metric: Literal["roc-auc", "accuracy"]
    """What the field reports of this set; accuracy and ROC-AUC are always measured both."""
    fingerprint: str
    """Of everything above."""
    notes: tuple[str, ...] = ()
    """What a reader must know of how the set was read, such as attributes that were left out."""

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={len(getattr(self, name))}" for name in ("train", "validation", "test"))
        return f"GraphSet({self.name!r}, {counts}, {self.classes} classes)"

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def in_words(self) -> tuple[str, ...]:
        """Describe the splits.

        Returns:
            A sentence on the splits, and one for each note.
        """
        counts = len(self.train), len(self.validation), len(self.test)
        return (f"{splits_in_words(*counts, unit='graphs', own=True)}; {self.split}", *self.notes)

    def require_ipc(self, ipc: int, where: str = "") -> None:
        """Refuse more items per class than a class has training graphs.

        Args:
            ipc: Items per class.
            where: The place it was read from, for the error; may be empty.

        Raises:
            UserError: A class has fewer than ``ipc`` training graphs.
        """
        counts = torch.bincount(self.train.y, minlength=self.classes)
        fewest = int(counts.min())
        if ipc > fewest:
            label = int(counts.argmin())
            raise UserError(
                f"ipc {ipc} is larger than a class",
                f"from  {where}" if where else "",
                f"class {self.class_names[label]!r} of {self.name} has {fewest} training graphs",
                fix=f"choose an ipc of at most {fewest}" if fewest else "choose another split or another set",
            )
