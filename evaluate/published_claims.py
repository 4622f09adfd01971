"""Checks of published accuracies: a set is measured, compared with the claim, and reported with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.published import ORIGINAL, PublishedResult, published_numbers
from ddbench.evaluate.scores import Scores
from ddbench.synthetic.synthetic_set import SyntheticSet

PRINTED_NETWORKS = 5
"""Number of networks that a printed standard deviation is taken to be over: the field's custom, seldom printed."""

CONFIDENCE = 0.95
WIDEST = 0.2
"""An interval wider than this, 20 points in all, tells nothing."""


def published_result(syn: SyntheticSet, network: str, method: str | None = None) -> PublishedResult:
    """Printed accuracy of a method's sets of this data set, ipc and network.

    Args:
        syn: Synthetic set.
        network: Canonical name of the network that is tested.
        method: As in ``published.csv``; None takes the set's own.

    Returns:
        The printed number with its source.

    Raises:
        UserError: Nothing is printed; the error has what is known near it.
    """
    dataset, name = ORIGINAL.get(syn.dataset, syn.dataset), method or syn.method
    published = published_numbers().get((name, dataset, syn.ipc, network))
    if published is not None:
        return published
    near = [key for key in published_numbers() if key[0] == name and key[1] == dataset]
    raise UserError(
        f"nothing is printed of {name} on {dataset}, ipc {syn.ipc}, {network}",
        *(f"known {name} on {dataset}, ipc {ipc}, {other}" for _, _, ipc, other in near[:6]),
        fix="give the method with --method and the network with --network; published.csv has all that is known",
    )


@dataclass(frozen=True, kw_only=True)
class ClaimCheck:
    """A printed accuracy beside a measured one; fractions."""

    claim: PublishedResult
    """Printed accuracy."""
    scores: Scores
    """Measured accuracies."""
    difference: float
    """Measured minus printed."""
    low: float
    """Lower end of its interval at 95 %, by Welch's t where a standard deviation is printed, else of the mean alone."""
    high: float
    """Upper end of its interval at 95 %."""

    @property
    def decided(self) -> bool:
        """True where the interval is narrow enough for a verdict, ``WIDEST`` at most."""
        return self.high - self.low <= WIDEST

    @property
    def holds(self) -> bool:
        """True where that is so and the interval has 0 inside, or the measured mean lies above the printed one."""
        return self.decided and self.high >= 0

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--format json``.

        Returns:
            The verdict, printed and measured accuracies, and the interval of their difference, all as fractions.
        """
        claim = self.claim
        return {
            "holds": self.holds,
            "decided": self.decided,
            "method": claim.method,
            "dataset": claim.dataset,
            "ipc": claim.ipc,
            "network": claim.network,
            "protocol": self.scores.protocol,
            "printed": claim.accuracy,
            "printed_std": claim.std,
            "source": claim.source,
            "measured": self.scores.accuracy_mean,
            "measured_std": self.scores.accuracy_std,
            "accuracy": list(self.scores.accuracy),
            "seeds": list(self.scores.seeds),
            "difference": self.difference,
            "interval": [self.low, self.high],
            "notes": list(self.scores.notes),
        }

    def text(self) -> str:
        """The text for people.

        Returns:
            Lines with the printed and the measured accuracy, notes, and a verdict, in percent.
        """
        claim, scores = self.claim, self.scores
        spread = "" if claim.std is None else f" ± {100 * claim.std:.1f}"
        verdict = "holds" if self.holds else "does NOT hold"
        if not self.decided:
            verdict = f"can not be told: {len(scores.seeds)} networks are too few"
        return "\n".join(
            [
                f"{claim.method} on {claim.dataset}, ipc {claim.ipc}, {claim.network}, by {scores.protocol}",
                f"printed   {100 * claim.accuracy:.1f}{spread} %  ({claim.source})",
                f"measured  {100 * scores.accuracy_mean:.1f} ± {100 * scores.accuracy_std:.1f} %  "
                f"({len(scores.seeds)} fresh networks)",
                *(f"note      {note}" for note in scores.notes),
                f"the claim {verdict}; the difference is {100 * self.difference:+.1f} points, "
                f"between {100 * self.low:+.1f} and {100 * self.high:+.1f} at 95 %",
            ]
        )


def check_claim(claim: PublishedResult, scores: Scores) -> ClaimCheck:
    """Compare a printed accuracy with measured ones.

    Args:
        claim: Printed accuracy.
        scores: Scores of two networks or more.

    Returns:
        The difference, measured minus printed, with its interval at 95 %.

    Raises:
        UserError: A single measured network, which has no spread.
    """
    from scipy import stats

    count = len(scores.accuracy)
    if count < 2:
        raise UserError("a claim is checked with two fresh networks or more", fix="--seeds 5")
    own = scores.accuracy_std**2 / (count - 1)
    theirs = 0.0 if claim.std is None else claim.std**2 / (PRINTED_NETWORKS - 1)
    variance = own + theirs
    difference = scores.accuracy_mean - claim.accuracy
    if variance == 0:
        return ClaimCheck(claim=claim, scores=scores, difference=difference, low=difference, high=difference)
    freedom = variance**2 / (own**2 / (count - 1) + theirs**2 / (PRINTED_NETWORKS - 1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    return ClaimCheck(
        claim=claim, scores=scores, difference=difference, low=difference - reach, high=difference + reach
    )
