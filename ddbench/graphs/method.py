"""The contract of a method that distills graphs: that of every method, with a task of graphs."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from ddbench.distillation.base_method import Method
from ddbench.distillation.task import OuterStep
from ddbench.graphs.synthetic_graphs import SyntheticGraphs

if TYPE_CHECKING:
    from ddbench.graphs.forests import Forests
    from ddbench.graphs.graphs import Graphs
    from ddbench.graphs.graphset import GraphSet


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphTask:
    """Data that a method of graphs distills from."""

    real: GraphSet
    """The real graphs."""
    method: str = ""
    """Name of the method in the registry."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Fingerprints of what must stay the same while a run goes on, JSON."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Facts about where data and settings come from, which the sets carry, JSON."""

    def synthetic(
        self,
        payload: Forests | Graphs,
        labels: Tensor,
        *,
        ipc: int,
        notes: Sequence[str] = (),
        charged: Mapping[str, int] | None = None,
        **more: Any,
    ) -> SyntheticGraphs:
        """Make a synthetic set of this task: the facts about data and origin are filled in.

        Args:
            payload: Graphs, or forests of computation trees.
            labels: (S,), int64, or (S, classes), probabilities, with ``label_kind`` among ``more``.
            ipc: Items per class that were allowed.
            notes: Sentences that a reader of its results must know.
            charged: Bytes by part as the method's paper counts; None where it counts as ddbench does.
            more: Other attributes of the set, such as ``frequency``.

        Returns:
            The set.

        Raises:
            ValueError: Parts do not fit together.
        """
        provenance = {
            **self.provenance,
            "notes": [*self.real.notes, *notes],
            **({} if charged is None else {"charged": dict(charged)}),
        }
        return SyntheticGraphs(
            payload=payload,
            labels=labels,
            ipc=ipc,
            method=self.method,
            provenance=provenance,
            dataset=self.real.name,
            class_names=self.real.class_names,
            node_cardinalities=self.real.node_cardinalities,
            edge_cardinalities=self.real.edge_cardinalities,
            **more,
        )


class GraphMethod(Method):
    """A method that makes a small set of graphs, or of trees in their place, at once."""

    DOMAIN: ClassVar[str] = "graphs"
    KIND: ClassVar[str] = "graphs"

    @abc.abstractmethod
    def distill(self, task: GraphTask, ipc: int, step: OuterStep) -> SyntheticGraphs:
        """Make the set.

        Args:
            task: Data that is distilled from.
            ipc: Items of a class, at most.
            step: The step 0, with its streams of randomness; no other randomness may be used.

        Returns:
            The set, made by :meth:`GraphTask.synthetic`.

        Raises:
            UserError: Task and settings do not go together.
        """
