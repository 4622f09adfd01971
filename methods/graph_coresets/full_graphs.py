"""Baseline: all training graphs, as they are: what distillation is measured against."""

from __future__ import annotations

from typing import final

import torch

from ddbench.distillation.task import OuterStep
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.graph_coresets.subset import real_graphs, rows_by_class
from ddbench.methods.mirage.selection import plus


@final
class FullGraphs(GraphMethod):
    """The whole training split, whatever the ipc."""

    def distill(self, task: GraphTask, ipc: int, step: OuterStep) -> SyntheticGraphs:
        del step
        counts = plus(map(len, rows_by_class(task.real)))
        notes = [f"the whole training split, {counts} graphs, whatever the ipc"]
        return real_graphs(task, torch.arange(len(task.real.train)), ipc, notes)
