"""The true ranking of networks: what they reach when they are trained on real data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

DECISIVE = ("dataset", "real", "mirror", "protocol", "epochs", "augmentation")
"""The facts by which two tables are comparable."""


@dataclass(frozen=True, kw_only=True)
class GroundTruth:
    """Accuracies of networks, fractions, by canonical name; those that rank are of the validation split."""

    accuracy: Mapping[str, tuple[float, ...]]
    """One a seed."""
    test: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of those whose test accuracy is known."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of training, where known."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the table depends on, empty for one that does not say."""
    where: str = ""
    """The file it was read from."""
    notes: tuple[str, ...] = ()
    """For readers."""

    def only(self, networks: Iterable[str]) -> GroundTruth:
        """The table cut to some networks.

        Args:
            networks: Names of networks that the table has, in the wanted order.

        Returns:
            Their accuracies, and test accuracies and seconds where known; facts and notes stay.
        """
        chosen = tuple(networks)
        return replace(
            self,
            accuracy={network: self.accuracy[network] for network in chosen},
            test={network: self.test[network] for network in chosen if network in self.test},
            seconds={network: self.seconds[network] for network in chosen if network in self.seconds},
        )


def differences(truth: GroundTruth, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Notes on a table that was made in another way than the proxies compared with it.

    Args:
        truth: Table of true accuracies.
        facts: Facts of this ranking, as ``facts_of`` has them.

    Returns:
        One note, or none where all decisive facts are equal.
    """
    if not truth.facts:
        return (f"{truth.where} does not say how its accuracies were measured",)
    other = [key for key in DECISIVE if truth.facts.get(key) != facts.get(key)]
    return (f"{truth.where} was made with another {', '.join(other)} than this ranking",) if other else ()
