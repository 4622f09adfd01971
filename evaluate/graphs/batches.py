"""Batches of a set of graphs: drawn items, each computed once and weighted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ddbench.evaluate.graphs.protocol import GraphProtocol, Sampling
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.message_passing import Computation, of_graphs, of_payload

if TYPE_CHECKING:
    from ddbench.graphs.synthetic_graphs import SyntheticGraphs


class GraphBatch(NamedTuple):
    """Items with their labels and their weights in the loss."""

    items: Computation
    """B items, ready for a network."""
    labels: Tensor
    """(B, C), probabilities."""
    weights: Tensor
    """(B,), shares of the loss, in sum one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphTrainingSet:
    """A set as a protocol shows it to networks of ``layers`` layers.

    A batch of drawn items has some more than once. Each is computed once, its loss weighted by how often it was drawn:
    without dropout that is the same mean, with it the copies of an item share one mask, as the occurrences of a shared
    subtree do. Where the whole set is no larger than a batch, and of forests always, everything is computed at every
    step, and what was not drawn has weight 0; of more graphs only the drawn ones are.
    """

    syn: SyntheticGraphs
    """Set of graphs."""
    protocol: GraphProtocol
    """Protocol, which decides how items are drawn."""
    layers: int
    """Layers of the networks."""
    device: torch.device
    """Device that trains."""

    def batches(self, generator: torch.Generator) -> Iterator[GraphBatch]:
        """Batches without end.

        Args:
            generator: Draws the items; on the CPU. A protocol that takes all items draws nothing.

        Returns:
            Items on the device with labels (B, C) and weights (B,), in sum one; each item comes once, with weight 0
            where the whole set is computed and it was not drawn.
        """
        payload, batch = self.syn.payload, self.protocol.batch
        if batch is None:
            weights = torch.full((len(self.syn),), 1 / len(self.syn), device=self.device)
            while True:
                yield GraphBatch(self.whole, self.labels, weights)
        likely = chances(self.probabilities, self.syn.frequency, self.protocol.sampling)
        while True:
            drawn = torch.multinomial(likely, batch, replacement=True, generator=generator)
            weights = torch.bincount(drawn, minlength=len(self.syn)) / batch
            if isinstance(payload, Graphs) and len(payload) > batch:
                rows = weights.nonzero()[:, 0]
                items = of_graphs(payload.subset(rows), self.layers).to(self.device)
                yield GraphBatch(items, self.labels[rows.to(self.device)], weights[rows].to(self.device))
            else:
                yield GraphBatch(self.whole, self.labels, weights.to(self.device))

    @cached_property
    def whole(self) -> Computation:
        """All items, on the device."""
        return of_payload(self.syn.payload, self.layers).to(self.device)

    @cached_property
    def probabilities(self) -> Tensor:
        """The label of every item as probabilities, (S, C), on the CPU."""
        labels = self.syn.labels
        return F.one_hot(labels, self.syn.classes).float() if self.syn.label_kind == "hard" else labels

    @cached_property
    def labels(self) -> Tensor:
        """The label of every item as probabilities, (S, C), on the device."""
        return self.probabilities.to(self.device)


def chances(labels: Tensor, frequency: Tensor, sampling: Sampling) -> Tensor:
    """Probability with which each item is drawn.

    Args:
        labels: (S, C), probabilities.
        frequency: (S,), the graphs that each item stands for.
        sampling: "uniform": all items alike. "frequency": each class has the same share, which its items divide in
            proportion to frequency; a class without items has none.

    Returns:
        (S,), float64, in sum one.
    """
    if sampling == "uniform":
        return torch.full((len(labels),), 1 / len(labels), dtype=torch.float64)
    mass = labels.double() * frequency.double()[:, None]
    present = mass.sum(0) > 0
    return (mass[:, present] / mass[:, present].sum(0)).mean(1)


def mean_loss(logits: Tensor, batch: GraphBatch) -> Tensor:
    """Cross-entropy with the labels' probabilities, weighted.

    Args:
        logits: (B, C), of the batch's items.
        batch: Items with labels and weights.

    Returns:
        The loss, a scalar, in nats.
    """
    return (F.cross_entropy(logits, batch.labels.to(logits.dtype), reduction="none") * batch.weights).sum()
