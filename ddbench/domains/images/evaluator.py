"""Evaluation of synthetic images: learning rate, labels of teachers, networks, row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.data import RealSet
from ddbench.evaluate.compatibility import require_labels
from ddbench.evaluate.leaderboard.make_row import make_row, synthetic_sha256
from ddbench.evaluate.leaderboard.row import LrPolicy, Row, RowSelection
from ddbench.evaluate.leaderboard.test_split import EvalSplit, image_test_split
from ddbench.evaluate.lr_search import RATES, LRSearch, search_rate
from ddbench.evaluate.protocols.builtin import Protocol
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.evaluate.score import score
from ddbench.evaluate.selection import selection_seeds
from ddbench.pipeline.evaluator import Evaluator
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


@dataclass(kw_only=True)
class ImageEvaluator(Evaluator):
    """Scores sets of images; it has everything that is the same for all sets that are scored together."""

    real: RealSet
    """Real images."""
    protocol: Protocol
    """How networks are trained."""
    seed: int = 0
    """Seed from which those of searches follow."""
    lr_policy: LrPolicy | None = None
    """Origin of the learning rate; None takes each pool's, else the protocol's."""
    rates: Sequence[float] = RATES
    """Rates that a search tries."""
    search_seeds: int = 1
    """Number of networks that try each rate."""
    steps: int | None = None
    """Updates of every training; None is the protocol's."""
    teachers: Teachers | None = None
    """Networks that label."""

    def policy(self, request: NetworkRequest) -> LrPolicy:
        """Choose the policy by which a network comes to its learning rate.

        Args:
            request: Network, and the pools it is requested with.

        Returns:
            The evaluator's own policy, else that of the first pool, else the protocol's.
        """
        return self.lr_policy or (request.pools[0].lr_policy if request.pools else "protocol")

    def sha256(self, syn: SyntheticSet) -> str:
        return synthetic_sha256(syn)

    def test_split(self) -> EvalSplit:
        return image_test_split(self.real)

    def facts(self, syn: SyntheticSet, request: NetworkRequest, selection: RowSelection) -> dict[str, Any]:
        teachers = self.teachers_for(syn)
        return {
            **super().facts(syn, request, selection),
            "lr_policy": self.policy(request),
            "selection": selection,
            "seeds": tuple(self.seeds),
            "teachers_fingerprint": teachers and teachers.fingerprint,
        }

    def evaluate(self, syn: SyntheticSet, request: NetworkRequest, selection: RowSelection, note: str = "") -> Row:
        teachers = self.teachers_for(syn)
        rates = self._search(syn, request.network) if self.policy(request) == "search" else None
        scores = score(
            syn,
            self.real,
            protocol=self.protocol,
            network=request.network,
            seeds=self.seeds,
            compute=self.compute,
            teachers=self.teachers,
            lr=rates.lr if rates else None,
            steps=self.steps,
            horizon_on="test" if selection == "oracle" else "validation",
        )
        return make_row(
            syn,
            self.real,
            scores,
            selection=selection,
            device=self.compute.device,
            label=syn.provenance.get("label"),
            student=syn.provenance.get("student"),
            expert_seconds=syn.provenance.get("expert_seconds", 0.0),
            rates=rates,
            teachers=teachers,
            pool=",".join(pool.name for pool in request.pools) or None,
            note=note,
        )

    def teachers_for(self, syn: SyntheticSet) -> Teachers | None:
        """Select the teachers that label a set.

        Args:
            syn: The set.

        Returns:
            The teachers; None where the set's own labels are used.

        Raises:
            UserError: The protocol needs teachers, and there are none or others.
        """
        source, _ = require_labels(syn, self.protocol, self.real, self.teachers)
        return self.teachers if source in ("teachers", "teachers, once") else None

    def _search(self, syn: SyntheticSet, network: str) -> LRSearch:
        return search_rate(
            lambda rate: score(
                syn,
                self.real,
                protocol=self.protocol,
                network=network,
                seeds=selection_seeds(self.seed, self.search_seeds),
                compute=self.compute,
                split="validation",
                lr=rate,
                steps=self.steps,
                teachers=self.teachers,
            ),
            self.rates,
        )
