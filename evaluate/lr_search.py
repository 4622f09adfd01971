"""Equal budgets of learning rates: method and baseline try the same ones, and choose on validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ddbench.errors import UserError
from ddbench.evaluate.scores import Scores

RATES = (0.001, 0.005, 0.01, 0.05, 0.1)
"""What DD-Ranking tries, and so do we. Source: ``ddranking`` 0.2.0."""


@dataclass(frozen=True, kw_only=True)
class LRSearch:
    """Result of a search."""

    lr: float
    """The rate chosen."""
    tried: dict[float, tuple[float, ...]]
    """Accuracies (fractions, one a network) by rate, ascending."""


def search_rate(score_with: Callable[[float], Scores], rates: Sequence[float] = RATES) -> LRSearch:
    """Try every rate and take the one with the highest mean accuracy, of equals the lowest.

    Args:
        score_with: Trains with a rate and scores on the validation split.
        rates: Rates to try, in any order; each is tried once.

    Returns:
        The rate taken, and the accuracies under each, rates ascending.

    Raises:
        UserError: No rates, rates that are not finite and positive, and scores of another split than validation.
    """
    if not rates or not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise UserError(
            f"learning rates to try must be positive numbers, not {list(rates)}", fix="for example 0.001, 0.01"
        )
    tried: dict[float, tuple[float, ...]] = {}
    for rate in sorted(set(rates)):
        scores = score_with(rate)
        if scores.split != "validation":
            raise UserError(
                f"learning rates are chosen on validation, never on {scores.split}", fix="split='validation'"
            )
        tried[rate] = scores.accuracy
    best = max(tried, key=lambda rate: (fmean(tried[rate]), -rate))
    return LRSearch(lr=best, tried=tried)
