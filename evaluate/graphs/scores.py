"""What fresh networks got on the test graphs, one number a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, pstdev


@dataclass(frozen=True, kw_only=True)
class GraphScores:
    """Accuracies and ROC-AUCs on the test split, fractions in the order of ``seeds``, and what they cost.

    roc_auc: macro one against the rest for more than two classes. validation: the ROC-AUC by which each tested state
    was chosen. network, protocol: as in rows. seconds: of all networks together, those that are not reported included.
    bytes: of what was scored, by part, where that is no set of graphs. notes: what a reader of the numbers must know.
    """

    accuracy: tuple[float, ...]
    roc_auc: tuple[float, ...]
    validation: tuple[float, ...]
    seeds: tuple[int, ...]
    seconds: float
    protocol: str
    network: str
    bytes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.accuracy)

    @property
    def roc_auc_mean(self) -> float:
        return fmean(self.roc_auc)

    @property
    def roc_auc_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.roc_auc)
