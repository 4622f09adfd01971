"""Evaluation of sets, once for recipes and for single files: learning rate, networks, row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ddbench.data import RealSet
from ddbench.evaluate.compatibility import require_labels
from ddbench.evaluate.leaderboard.known_rows import completed, known_rows, with_pools
from ddbench.evaluate.leaderboard.make_row import make_row, synthetic_sha256
from ddbench.evaluate.leaderboard.row import LrPolicy, Row, RowSelection, load_row
from ddbench.evaluate.leaderboard.test_split import image_test_split
from ddbench.evaluate.lr_search import RATES, LRSearch, search_rate
from ddbench.evaluate.protocols.builtin import Protocol
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.evaluate.score import score
from ddbench.evaluate.selection import selection_seeds
from ddbench.pipeline.context import RunContext
from ddbench.runtime.executors import Executor
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


@dataclass(kw_only=True)
class Evaluator:
    """Everything that is the same for every set that is judged together."""

    real: RealSet
    protocol: Protocol
    device: torch.device
    context: RunContext
    seeds: Sequence[int]
    """Of the networks that score on test."""
    seed: int = 0
    lr_policy: LrPolicy | None = None
    """None takes each pool's, else the protocol's."""
    rates: Sequence[float] = RATES
    """Tried in a search, with ``search_seeds`` networks each, whose seeds follow from ``seed``."""
    steps: int | None = None
    """Of every training, None is the protocol's."""
    search_seeds: int = 1
    teachers: Teachers | None = None
    executor: Executor | None = None

    def policy(self, request: NetworkRequest) -> LrPolicy:
        """How a network comes to its learning rate."""
        return self.lr_policy or (request.pools[0].lr_policy if request.pools else "protocol")

    def row(
        self, syn: SyntheticSet, request: NetworkRequest, selection: RowSelection, note: str = ""
    ) -> tuple[Row, Path]:
        """Score a set on one network, and keep the row: itself and its file.

        Args:
            selection: How the set was chosen.
            note: What a reader of the row must know. A row that answered the same question before is replaced, but for
                the pools it was asked for with.
        """
        teachers = self.teachers_for(syn)
        rates = self._search(syn, request.network) if self.policy(request) == "search" else None
        scores = score(
            syn,
            self.real,
            protocol=self.protocol,
            network=request.network,
            seeds=self.seeds,
            device=self.device,
            teachers=self.teachers,
            progress=self.context.progress(),
            executor=self.executor,
            lr=rates.lr if rates else None,
            steps=self.steps,
            compile=self.context.compile,
        )
        row = make_row(
            syn,
            self.real,
            scores,
            selection=selection,
            device=self.device,
            label=syn.provenance.get("label"),
            student=syn.provenance.get("student"),
            expert_seconds=syn.provenance.get("expert_seconds", 0.0),
            rates=rates,
            teachers=teachers,
            pool=",".join(pool.name for pool in request.pools) or None,
            note=note,
        )
        path = row.path(self.results)
        row = with_pools(row, load_row(path).pools) if path.exists() else row
        return row, row.save(self.results)

    def known(
        self, syn: SyntheticSet, request: NetworkRequest, selection: RowSelection, ipc: int
    ) -> tuple[Row, Path] | None:
        """The row that answers this question already, of this very set, if there is one, and its file."""
        teachers = self.teachers_for(syn)
        rows = known_rows(
            self.results,
            self.real.name,
            ipc,
            label=syn.provenance["label"],
            network=request.network,
            protocol=self.protocol.key,
            lr_policy=self.policy(request),
            selection=selection,
            seeds=tuple(self.seeds),
            teachers_fingerprint=teachers and teachers.fingerprint,
            synthetic_sha256=synthetic_sha256(syn),
            real_fingerprint=self.real.fingerprint,
            recipe=syn.provenance["recipe"],
        )
        row, pools = next(rows, None), [pool.name for pool in request.pools]
        return None if row is None else completed(row, self.results, image_test_split(self.real), pools)

    @property
    def results(self) -> Path:
        return self.context.home / "results"

    def teachers_for(self, syn: SyntheticSet) -> Teachers | None:
        """The teachers, where they are asked about this set.

        Raises:
            UserError: The protocol needs them.
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
                device=self.device,
                split="validation",
                lr=rate,
                steps=self.steps,
                teachers=self.teachers,
                progress=self.context.progress(),
                executor=self.executor,
                compile=self.context.compile,
            ),
            self.rates,
        )
