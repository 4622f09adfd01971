"""The contract of a method that distills graphs: that of every method, with a task of graphs."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from ddbench.distillation.method import Method
from ddbench.distillation.task import OuterStep
from ddbench.graphs.synthetic_graphs import SyntheticGraphs

if TYPE_CHECKING:
    from ddbench.graphs.forests import Forests
    from ddbench.graphs.graphs import Graphs
    from ddbench.graphs.graphset import GraphSet


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphTask:
    """What a method distills from."""

    real: GraphSet
    method: str = ""
    """As in :class:`ddbench.distillation.task.Task`."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """As in :class:`ddbench.distillation.task.Task`."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """As in :class:`ddbench.distillation.task.Task`."""

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
        """A set of this task: the facts about data and origin are filled in.

        Args:
            notes: Sentences that a reader of its results must know.
            charged: Bytes by part as the method's paper counts.
        """
        told = {
            **self.provenance,
            "notes": [*self.real.notes, *notes],
            **({} if charged is None else {"charged": dict(charged)}),
        }
        return SyntheticGraphs(
            payload=payload,
            labels=labels,
            ipc=ipc,
            method=self.method,
            provenance=told,
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
    def distill(self, task: GraphTask, ipc: int, at: OuterStep) -> SyntheticGraphs:
        """The set, at most ``ipc`` items of a class. Drawn from ``at``'s streams; no global randomness."""
