"""Baseline: herding of graphs. Welling, ICML 2009; as a coreset in iCaRL, CVPR 2017, https://arxiv.org/abs/1611.07725."""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.sparse import csr_array

from ddbench.distillation.task import OuterStep
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.refine import refine
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.graph_coresets.subset import Equal, chosen_rows, real_graphs, rows_by_class
from ddbench.methods.mirage.method import Mirage


@final
class HerdingGraphs(GraphMethod):
    """Training graphs of each class, chosen one by one so that their mean histogram stays closest to the class's.

    The histogram counts how often a graph has each computation tree; no network is trained, where the literature takes
    the embeddings of one.
    """

    equal: Equal = "ipc"
    """How many: ipc graphs of each class; as many as mirage keeps items of it; or as many as take no more bytes than
    mirage's items do when they are written out."""
    to: Mirage = Mirage()
    """The settings of mirage with which it is compared; its hops are those of the trees that are counted."""

    def distill(self, task: GraphTask, ipc: int, step: OuterStep) -> SyntheticGraphs:
        del step
        train = task.real.train
        refinement = refine(train, self.to.hops)
        counts = histograms(train.graph_of_node.numpy(), refinement.ids[-1], (len(train), refinement.counts[-1]))
        choosers = [Herd(counts[rows.numpy()]) for rows in rows_by_class(task.real)]
        rows, notes = chosen_rows(task.real, ipc, self.equal, self.to, choosers)
        how = f"herding on histograms of computation trees of {self.to.hops} hops; no network is trained"
        return real_graphs(task, rows, ipc, [how, *notes])


def histograms(graph_of_node: np.ndarray, trees: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """Count how often each graph has each computation tree.

    Args:
        graph_of_node: Graph of every node, (n,), int.
        trees: Tree of every node, (n,), int.
        shape: Number of graphs, and of different trees.

    Returns:
        (graphs, trees), float64.
    """
    return csr_array((np.ones(len(trees)), (graph_of_node, trees)), shape)


class Herd:
    """Rows chosen one after the other, as :func:`ddbench.methods.coresets.herding.herd` does, on sparse rows.

    Args:
        features: (n, F).
    """

    def __init__(self, features: csr_array) -> None:
        self._features = features
        self._squares = features.multiply(features).sum(1)
        self._mean = features.sum(0) / max(len(self._squares), 1)
        self._total = np.zeros_like(self._mean)
        self._free = np.ones(len(self._squares), bool)
        self._chosen = 0

    def next(self, allowed: np.ndarray) -> int:
        self._chosen += 1
        missing = self._mean - self._total / self._chosen
        # |mean - (total + x) / k|^2 up to what is the same for every x
        distance = self._squares / self._chosen**2 - 2 / self._chosen * (self._features @ missing)
        best = int(np.where(self._free & allowed, distance, np.inf).argmin())
        self._free[best] = False
        self._total += self._features[[best]].toarray()[0]
        return best
