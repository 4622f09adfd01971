"""Real graphs of each class, as many as ipc says or as cost what Mirage keeps: what the baselines on graphs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.graphs.method import GraphTask
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.mirage.method import Mirage
from ddbench.methods.mirage.selection import plus

if TYPE_CHECKING:
    from ddbench.graphs.graphs import Graphs
    from ddbench.graphs.graphset import GraphSet

Equal = Literal["ipc", "items", "bytes"]
"""What is held equal: ipc graphs of each class; as many as Mirage keeps items; bytes, as Mirage's paper counts them."""


class Chooser(Protocol):
    """The graphs of one class in the order in which a baseline would take them."""

    def next(self, allowed: np.ndarray) -> int:
        """Take the next graph.

        Args:
            allowed: Graphs that may be taken, (n,), bool; at least one that was not taken before.

        Returns:
            Its position in the class.
        """
        ...


def graph_bytes(graphs: Graphs) -> np.ndarray:
    """Count bytes as Mirage's paper does: two for each code of a node and each end of an edge.

    Args:
        graphs: G graphs.

    Returns:
        Bytes of each graph, (G,), int64.
    """
    columns = graphs.node_features.shape[1]
    return (2 * (graphs.node_counts * columns + 2 * graphs.edge_counts)).numpy()


def rows_by_class(real: GraphSet) -> list[Tensor]:
    """List the training graphs of each class.

    Args:
        real: The data set.

    Returns:
        Row numbers, int64, one tensor a class.
    """
    return [(real.train.y == label).nonzero()[:, 0] for label in range(real.classes)]


def real_graphs(task: GraphTask, rows: Tensor, ipc: int, notes: Sequence[str]) -> SyntheticGraphs:
    """Make the set of some training graphs, each with its class as label and a frequency of 1.

    Args:
        task: What is distilled from.
        rows: Rows of the training split, (S,), int64.
        ipc: Items per class that the recipe names.
        notes: Sentences that a reader of results must know.

    Returns:
        The set, with its bytes as Mirage's paper counts them.
    """
    graphs = task.real.train.subset(rows)
    charged = {"graphs": int(graph_bytes(graphs).sum())}
    ones = torch.ones(len(rows), dtype=torch.int64)
    return task.synthetic(graphs, graphs.y, ipc=ipc, notes=notes, charged=charged, frequency=ones)


def chosen_rows(
    real: GraphSet, ipc: int, equal: Equal, to: Mirage, choosers: Sequence[Chooser]
) -> tuple[Tensor, list[str]]:
    """Choose training graphs class by class, as many as are held equal.

    Args:
        real: The data set.
        ipc: Items per class.
        equal: What is held equal with Mirage: ipc, items or bytes.
        to: Settings of Mirage with which the baseline is compared.
        choosers: One a class, over :func:`rows_by_class`.

    Returns:
        Training rows, class by class, and notes that a reader of results must know.

    Raises:
        UserError: A class has too few graphs, or mining fails.
    """
    by_class = rows_by_class(real)
    if equal == "bytes":
        real.require_ipc(1)
        budget = to.select(real, ipc).charged
        sizes = graph_bytes(real.train)
        places, notes = within_bytes([sizes[rows.numpy()] for rows in by_class], budget, choosers)
    else:
        counts, notes = [ipc] * real.classes, []
        if equal == "items":
            counts = to.select(real, ipc).counts
            notes = [f"as many graphs of each class as mirage keeps items: {plus(counts)}"]
        _require_graphs(real, counts, equal)
        every = [np.ones(len(rows), bool) for rows in by_class]
        wanted = zip(choosers, every, counts, strict=True)
        places = [[chooser.next(allowed) for _ in range(count)] for chooser, allowed, count in wanted]
    return torch.cat([rows[places_of] for rows, places_of in zip(by_class, places, strict=True)]), notes


def within_bytes(
    sizes: Sequence[np.ndarray], budget: int, choosers: Sequence[Chooser]
) -> tuple[list[list[int]], list[str]]:
    """Choose graphs that together take at most a budget of bytes.

    One graph of each class, then one more of each in turn, each the next of those that still fit, however many that
    makes. Where not even one of each class fits, the smallest of each are taken.

    Args:
        sizes: Bytes of each graph, by class.
        budget: Bytes in all.
        choosers: One a class.

    Returns:
        Positions in each class, and a note of what they take.
    """
    smallest = sum(int(of_class.min()) for of_class in sizes)
    spare = budget - smallest
    if spare < 0:
        note = f"the smallest graphs of each class take {smallest} bytes, {-spare} more than mirage's {budget}"
        return [[int(of_class.argmin())] for of_class in sizes], [note]
    places: list[list[int]] = [[] for _ in sizes]
    for of_class, chooser, taken in zip(sizes, choosers, places, strict=True):
        least = int(of_class.min())
        taken.append(chooser.next(of_class <= least + spare))
        spare -= int(of_class[taken[0]]) - least
    waiting = list(range(len(sizes)))
    while waiting:
        for label in tuple(waiting):
            free = sizes[label] <= spare
            free[places[label]] = False
            if not free.any():
                waiting.remove(label)
                continue
            places[label].append(choosers[label].next(free))
            spare -= int(sizes[label][places[label][-1]])
    return places, [
        f"bytes are equal, not ipc: {plus(map(len, places))} graphs of {budget - spare} bytes, within mirage's {budget}"
    ]


def _require_graphs(real: GraphSet, counts: Sequence[int], equal: Equal) -> None:
    if equal == "ipc":
        real.require_ipc(counts[0])
    for name, rows, count in zip(real.class_names, rows_by_class(real), counts, strict=True):
        if count > len(rows):
            raise UserError(
                f"mirage keeps {count} items of class {name!r}, which has {len(rows)} training graphs",
                fix="compare at equal bytes (equal: bytes), or let mirage keep fewer",
            )
