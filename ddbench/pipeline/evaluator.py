"""Evaluation of sets, once for recipes and for single files: the row that answers already, or a new one."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.artifact import tensors_sha256
from ddbench.evaluate.leaderboard.known_rows import completed, known_rows, with_pools
from ddbench.evaluate.leaderboard.row import Row, RowSelection, load_row, without_paths
from ddbench.evaluate.leaderboard.test_split import EvalSplit
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.runtime.compute import Compute


@dataclass(kw_only=True)
class Evaluator(abc.ABC):
    """Scores sets of one domain; it has everything that is the same for all sets that are scored together."""

    real: Any
    """Real data of the domain."""
    protocol: Any
    """Protocol of the domain, with a ``key``."""
    compute: Compute
    """How networks are trained and tested."""
    results: Path
    """Folder of rows."""
    seeds: Sequence[int]
    """Seeds of the networks that score on test."""
    ipcs: Sequence[int] = ()
    """All ipcs of the recipe, of one of which a set may have been scored already."""

    @abc.abstractmethod
    def evaluate(self, syn: Any, request: NetworkRequest, selection: RowSelection, note: str = "") -> Row:
        """Train fresh networks on a set and make the row.

        Args:
            syn: The set.
            request: Network, and the pools it is requested with.
            selection: Rule by which the set was chosen.
            note: Remark that readers of the row need; empty is none.

        Returns:
            The row, not saved.
        """

    def sha256(self, syn: Any) -> str:
        """Hash that stands for a set in rows.

        Args:
            syn: The set.

        Returns:
            SHA-256 of its tensors, in hexadecimal.
        """
        return tensors_sha256(syn.tensors())

    def test_split(self) -> EvalSplit | None:
        """Identity of the data that is tested on.

        Returns:
            The split; None in a domain whose rows do not have one.
        """
        return None

    def facts(self, syn: Any, request: NetworkRequest, selection: RowSelection) -> dict[str, Any]:
        """Fields that the row of a set has if it is scored now.

        Args:
            syn: The set.
            request: Network, and the pools it is requested with.
            selection: Rule by which the set was chosen.

        Returns:
            Values by field of a row.
        """
        del selection
        scored = {"network": request.network, "protocol": self.protocol.key}
        return {**scored, "synthetic_sha256": self.sha256(syn), "real_fingerprint": self.real.fingerprint}

    def known_rows(self, ipc: int, **facts: Any) -> Iterator[Row]:
        """Find rows with these values that report no other seeds than this evaluator's.

        Args:
            ipc: Items per class.
            **facts: Values by field of a row.

        Returns:
            The rows; a protocol may report some of the seeds alone.
        """
        rows = known_rows(self.results, self.real.name, ipc, **facts)
        return (row for row in rows if {*row.seeds} <= {*self.seeds})

    def known(self, syn: Any, request: NetworkRequest, selection: RowSelection, ipc: int) -> tuple[Row, Path] | None:
        """Find the row that answers already; it is completed with pools and test split.

        Args:
            syn: The set, with recipe and label in its provenance.
            request: Network, and the pools it is asked for with.
            selection: How the set was chosen.
            ipc: Items per class.

        Returns:
            The row and its file; None where there is none.
        """
        made = {"label": syn.provenance["label"], "recipe": without_paths(syn.provenance["recipe"])}
        row = next(self.known_rows(ipc, **self.facts(syn, request, selection), **made), None)
        pools = [pool.name for pool in request.pools]
        return None if row is None else completed(row, self.results, self.test_split(), pools)

    def row(self, syn: Any, request: NetworkRequest, selection: RowSelection, note: str = "") -> tuple[Row, Path]:
        """Score a set on one network, and keep the row. One that answered the same question before is replaced, but for
        the pools it was asked for with.

        Args:
            syn: The set.
            request: Network, and the pools it is asked for with.
            selection: How the set was chosen.
            note: What a reader of the row must know.

        Returns:
            The row and its file.
        """
        row = self.evaluate(syn, request, selection, note)
        path = row.path(self.results)
        row = with_pools(row, load_row(path).pools) if path.exists() else row
        return row, row.save(self.results)
