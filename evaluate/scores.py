"""Accuracies of fresh networks, on images and on graphs, with what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Literal

SplitName = Literal["test", "validation"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Accuracies of fresh networks on one split, and what they cost."""

    accuracy: tuple[float, ...]
    """Top-1 accuracies, fractions in the order of ``seeds``."""
    seeds: tuple[int, ...]
    """Seeds of the networks."""
    network: str
    """Canonical name of the network."""
    protocol: str
    """Key of the protocol, such as ``mtt-v1``."""
    split: SplitName
    """Split that was tested on."""
    seconds: float
    """Wall time of all networks together."""
    peak_bytes: int
    """Memory of the process that took most, as ``ddbench.runtime.device.peak_bytes`` counts."""
    lr: float | None = None
    """Rate that the networks began with."""
    steps: int | None = None
    """Updates that each was to take; None is the protocol's."""
    horizon: int | None = None
    """Updates after which networks were tested, where these were chosen; None where nothing was."""
    compiled: bool = False
    """Whether training steps were compiled."""
    device: str | None = None
    """Devices that trained; None is the device that was requested."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a sentence each."""

    @property
    def accuracy_mean(self) -> float:
        """Mean accuracy, a fraction."""
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation of the accuracies."""
        return pstdev(self.accuracy)


@dataclass(frozen=True, kw_only=True)
class GraphScores:
    """Accuracies and ROC-AUCs of fresh graph networks on the test split, and what they cost."""

    accuracy: tuple[float, ...]
    """Accuracies, fractions in the order of ``seeds``."""
    roc_auc: tuple[float, ...]
    """ROC-AUCs; for more than two classes macro, one against the rest."""
    validation: tuple[float, ...]
    """ROC-AUCs on validation, by which each tested state was chosen."""
    seeds: tuple[int, ...]
    """Seeds of the networks that are reported."""
    seconds: float
    """Wall time of all networks together, those that are not reported included."""
    protocol: str
    """Key of the protocol."""
    network: str
    """Canonical name of the network."""
    bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of what was scored, by part, where that is no set of graphs."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a sentence each."""

    @property
    def accuracy_mean(self) -> float:
        """Mean accuracy, a fraction."""
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation of the accuracies."""
        return pstdev(self.accuracy)

    @property
    def roc_auc_mean(self) -> float:
        """Mean ROC-AUC."""
        return fmean(self.roc_auc)

    @property
    def roc_auc_std(self) -> float:
        """Population standard deviation of the ROC-AUCs."""
        return pstdev(self.roc_auc)
