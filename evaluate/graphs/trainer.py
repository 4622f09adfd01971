"""Training of a fresh graph network from its seed, and its test on real graphs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ddbench.evaluate.graphs.batches import GraphBatch, GraphTrainingSet, mean_loss
from ddbench.evaluate.graphs.metrics import accuracy, roc_auc
from ddbench.evaluate.graphs.protocol import GraphProtocol, GraphSetting
from ddbench.evaluate.training.networks import layers_seeded
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.message_passing import Computation, of_distinct_trees
from ddbench.graphs.networks import build_gnn
from ddbench.randomness import derive, stream
from ddbench.runtime.threads import one_thread
from ddbench.training.epoch import consecutive_batches

TEST_BATCH = 512
"""Graphs in one forward pass of a test, whose memory is small against that of training."""


class GraphBatches:
    """The graphs of a split, laid out once for every network of so many layers."""

    def __init__(self, graphs: Graphs, layers: int, device: torch.device) -> None:
        self.y = graphs.y
        self._parts: list[Computation] = [
            of_distinct_trees(graphs.subset(torch.arange(part.start, part.stop)), layers).to(device)
            for part in consecutive_batches(len(graphs), TEST_BATCH)
        ]

    @torch.no_grad()
    def logits_of(self, network: nn.Module) -> Tensor:
        """Logits of every graph.

        Args:
            network: Network on the device; it is left in eval mode.

        Returns:
            (G, C), on the CPU.
        """
        network.eval()
        return torch.cat([network(part).cpu() for part in self._parts])


class GraphSeedResult(NamedTuple):
    """Fractions that one network reached."""

    accuracy: float
    """On the test split."""
    roc_auc: float
    """On the test split."""
    validation: float
    """Best ROC-AUC on the validation split; 0.5 where no state was finite."""
    finite: bool
    """True where the training stayed finite to its end."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphTrainer:
    """Training of networks by a protocol, and the real graphs that they are validated and tested on."""

    training_set: GraphTrainingSet
    """Items that networks are trained on."""
    validation: GraphBatches
    """Graphs that choose a state."""
    test: GraphBatches
    """Graphs that the chosen state is tested on."""
    real: GraphSet
    """Real graphs, whose classes and vocabularies networks are built for."""
    protocol: GraphProtocol
    """Protocol of the training."""
    setting: GraphSetting
    """Its numbers for this data set and network."""
    network: str
    """Canonical name of the network."""
    device: torch.device
    """Device that trains and tests."""

    def train_and_test(self, seed: int, after_step: Callable[[int], None] = lambda done: None) -> GraphSeedResult:
        """Train the network of a seed, choose its state on validation, and test that once.

        A training that is no longer finite ends there; where no state was ever finite on validation, or the chosen one
        is not on test, every test graph counts as of the first class.

        Args:
            seed: Fixes the first parameters, what is drawn and what is dropped.
            after_step: Called with the number of steps done.

        Returns:
            Accuracy, ROC-AUC and validation ROC-AUC of the chosen state, and whether the training stayed finite.
        """
        with one_thread(self.device):
            network = build_gnn(
                self.network,
                node_cardinalities=self.real.node_cardinalities,
                classes=self.real.classes,
                layers=self.setting.layers,
                hidden=self.setting.hidden,
                dropout=self.setting.dropout,
                seed=derive(seed, "evaluation", "network"),
            ).to(self.device)
            best, finite = self._train(network, seed, after_step)
            logits = self.test.logits_of(network)
            if best is None or not logits.isfinite().all():
                logits, finite = torch.zeros_like(logits), False
            best_validation = 0.5 if best is None else best
            return GraphSeedResult(accuracy(logits, self.test.y), roc_auc(logits, self.test.y), best_validation, finite)

    def _train(self, network: nn.Module, seed: int, after_step: Callable[[int], None]) -> tuple[float | None, bool]:
        """Leave ``network`` in its best state. Returns that state's validation ROC-AUC, None where no state was finite,
        and whether all were."""
        optimizer = torch.optim.Adam(
            network.parameters(), lr=self.protocol.lr, weight_decay=self.setting.weight_decay, foreach=True
        )
        batches = self.training_set.batches(stream(seed, "evaluation", "drawing"))
        best: float | None = None
        best_state, finite = deepcopy(network.state_dict()), True
        with layers_seeded(derive(seed, "evaluation", "layers"), self.device):
            for done in range(self.setting.steps + 1):
                if done:
                    self._step(network, optimizer, next(batches))
                    after_step(done)
                if not self.protocol.validates_after(done):
                    continue
                logits = self.validation.logits_of(network)
                if not (finite := bool(logits.isfinite().all())):
                    break
                validation = roc_auc(logits, self.validation.y)
                if best is None or validation > best:
                    best, best_state = validation, deepcopy(network.state_dict())
        network.load_state_dict(best_state)
        return best, finite

    @staticmethod
    def _step(network: nn.Module, optimizer: torch.optim.Optimizer, batch: GraphBatch) -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        mean_loss(network(batch.items), batch).backward()
        optimizer.step()
