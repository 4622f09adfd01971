"""How sets are judged, once for recipes and for single files: learning rate, networks, row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ddbench.commands.place import Place
from ddbench.data import RealSet
from ddbench.evaluate.fit import require_labels
from ddbench.evaluate.make_row import make_row
from ddbench.evaluate.pools import Asked
from ddbench.evaluate.protocols import Protocol
from ddbench.evaluate.rates import RATES, RateSearch, search_rate
from ddbench.evaluate.rows import LrPolicy, Row, RowSelection, load_row
from ddbench.evaluate.score import score
from ddbench.evaluate.selection import selection_seeds
from ddbench.evaluate.workers import Workers
from ddbench.synthetic import SyntheticSet
from ddbench.teachers import Teachers


@dataclass(kw_only=True)
class Judging:
    """Everything that is the same for every set that is judged together.

    seeds: of the networks that score on test. lr_policy: None takes each pool's, else the protocol's. rates: tried in
    a search, with ``searchers`` networks each, whose seeds follow from ``seed``. steps: of every training, None is the
    protocol's.
    """

    real: RealSet
    protocol: Protocol
    device: torch.device
    place: Place
    seeds: Sequence[int]
    seed: int = 0
    lr_policy: LrPolicy | None = None
    rates: Sequence[float] = RATES
    steps: int | None = None
    searchers: int = 1
    teachers: Teachers | None = None
    workers: Workers | None = None

    def policy(self, asked: Asked) -> LrPolicy:
        """How a network comes to its learning rate."""
        return self.lr_policy or (asked.pools[0].lr_policy if asked.pools else "protocol")

    def row(self, syn: SyntheticSet, asked: Asked, selection: RowSelection, note: str = "") -> tuple[Row, Path]:
        """Score a set on one network, and keep the row: itself and its file.

        selection: how the set was chosen. note: what a reader of the row must know. A row that answered the same
        question before is replaced, but for the pools it was asked for with.
        """
        teachers = self.labelled_by(syn)
        rates = self._search(syn, asked.network) if self.policy(asked) == "search" else None
        scores = score(
            syn,
            self.real,
            protocol=self.protocol,
            network=asked.network,
            seeds=self.seeds,
            device=self.device,
            teachers=self.teachers,
            progress=self.place.progress(),
            workers=self.workers,
            lr=rates.lr if rates else None,
            steps=self.steps,
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
            pool=",".join(pool.name for pool in asked.pools) or None,
            note=note,
        )
        path = row.path(self.results)
        row = with_pools(row, load_row(path).pools) if path.exists() else row
        return row, row.save(self.results)

    @property
    def results(self) -> Path:
        return self.place.home / "results"

    def labelled_by(self, syn: SyntheticSet) -> Teachers | None:
        """The teachers, where they are asked about this set. Errors: UserError where the protocol needs them."""
        source, _ = require_labels(syn, self.protocol, self.real, self.teachers)
        return self.teachers if source in ("teachers", "teachers, once") else None

    def _search(self, syn: SyntheticSet, network: str) -> RateSearch:
        return search_rate(
            lambda rate: score(
                syn,
                self.real,
                protocol=self.protocol,
                network=network,
                seeds=selection_seeds(self.seed, self.searchers),
                device=self.device,
                split="validation",
                lr=rate,
                steps=self.steps,
                teachers=self.teachers,
                progress=self.place.progress(),
                workers=self.workers,
            ),
            self.rates,
        )


def with_pools(row: Row, names: Sequence[str]) -> Row:
    """The row, asked for with these pools too."""
    return replace(row, pool=",".join(dict.fromkeys((*row.pools, *names))) or None)
