"""Baseline: random real graphs of each class, as they are. Every result on graphs is read beside this one."""

from __future__ import annotations

from typing import final

import numpy as np
import torch

from ddbench.distillation.task import OuterStep
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.graph_coresets.subset import Equal, chosen_rows, real_graphs, rows_by_class
from ddbench.methods.mirage.method import Mirage


@final
class RandomGraphs(GraphMethod):
    """Training graphs of each class, drawn without replacement; at equal bytes, always among those that still fit."""

    equal: Equal = "ipc"
    """How many: ipc graphs of each class; as many as mirage keeps items of it; or as many as take no more bytes than
    mirage's items do when they are written out."""
    to: Mirage = Mirage()
    """The settings of mirage with which it is compared, where that matters."""

    def distill(self, task: GraphTask, ipc: int, step: OuterStep) -> SyntheticGraphs:
        generator = step.stream("graphs")
        choosers = [Shuffled(len(rows), generator) for rows in rows_by_class(task.real)]
        rows, notes = chosen_rows(task.real, ipc, self.equal, self.to, choosers)
        return real_graphs(task, rows, ipc, notes)


class Shuffled:
    """Positions 0 to ``count - 1`` in an order that is drawn once.

    Args:
        count: Number of positions.
        generator: Source of the draw.
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self._left = torch.randperm(count, generator=generator).tolist()

    def next(self, allowed: np.ndarray) -> int:
        chosen = next(place for place in self._left if allowed[place])
        self._left.remove(chosen)
        return chosen
