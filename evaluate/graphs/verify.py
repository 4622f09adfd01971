"""Verification of a row about graphs: the same seeds, trained and tested anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError
from ddbench.evaluate.graphs.make_row import graph_versions, graphs_sha256
from ddbench.evaluate.graphs.score import score_graphs
from ddbench.evaluate.graphs.statistics_baselines import NO_LEARNING, score_no_learning
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.verify import TOLERANCE, Verification, compare_accuracies, is_exact, require_same_origin
from ddbench.graphs.graphset import GraphSet
from ddbench.runtime.compute import Compute
from ddbench.runtime.precision import choose_precision

if TYPE_CHECKING:
    from ddbench.graphs.synthetic_graphs import SyntheticGraphs


@dataclass(frozen=True, kw_only=True)
class GraphVerification:
    """Both measures of a row, each recorded and measured now."""

    accuracy: Verification
    """Accuracies, recorded and measured."""
    roc_auc: Verification
    """ROC-AUCs, recorded and measured."""

    @property
    def identical(self) -> bool:
        """True where both measures came out to the bit."""
        return self.accuracy.identical and self.roc_auc.identical

    @property
    def passed(self) -> bool:
        """True where both measures pass."""
        return self.accuracy.passed and self.roc_auc.passed

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--format json``.

        Returns:
            The verdict, and what was compared for accuracy and for ROC-AUC.
        """
        both = {"accuracy": self.accuracy.as_dict(), "roc_auc": self.roc_auc.as_dict()}
        return {"passed": self.passed, "identical": self.identical, **both}

    def text(self) -> str:
        """The text for people.

        Returns:
            For each measure one line a seed and a verdict.
        """
        return f"accuracy\n{self.accuracy.text()}\nROC-AUC\n{self.roc_auc.text()}"


def verify_graph_row(
    row: Row,
    syn: SyntheticGraphs | None,
    real: GraphSet,
    *,
    compute: Compute = Compute(),
    tolerance: float = TOLERANCE,
) -> GraphVerification:
    """Score ``syn`` as ``row`` says, with the row's seeds, and compare accuracies and ROC-AUCs.

    Where a protocol reports the best of more seeds, only those that it reports are trained again, so that the choice
    among them is not verified.

    Args:
        row: Row to verify.
        syn: Set that the row is about; None for a baseline without learning.
        real: Real graphs that the row was tested on.
        compute: How networks are trained and tested.
        tolerance: Difference of means, a fraction, that passes where the same bits can not be expected.

    Returns:
        Recorded and measured accuracies and ROC-AUCs.

    Raises:
        UserError: The set, or the real data, is not the one that the row is about, and as in ``score_graphs``.
    """
    learned = row.method not in NO_LEARNING
    without_set = row.synthetic_sha256 if not learned else None
    require_same_origin(row, without_set if syn is None else graphs_sha256(syn), real.fingerprint)
    if row.domain != "graphs":
        raise UserError(f"this row is about {row.domain}, not about graphs", fix="give a row of a set of graphs")
    beside = {"protocol": row.protocol, "network": row.network}
    if syn is None:
        scores = score_no_learning(row.method, real, **beside)
    else:
        compute = replace(compute, precision=choose_precision(row.precision, compute.device))
        scores = score_graphs(syn, real, seeds=row.seeds, compute=compute, **beside)
    accuracy = compare_accuracies(row, scores.accuracy, is_exact(row, compute.device, graph_versions()), tolerance)
    roc_auc = replace(accuracy, recorded=row.roc_auc, measured=scores.roc_auc)
    return GraphVerification(accuracy=accuracy, roc_auc=roc_auc)
