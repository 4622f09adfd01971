"""Agreement of two rankings of networks: rank correlations over all and among the best, and regret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddbench.randomness import derive

Floats = NDArray[np.float64]

KS = (5, 10, 20, 36)
"""How many of the best networks are looked at apart, where the space has more."""

RESAMPLES = 1000


@dataclass(frozen=True)
class RankEstimate:
    """A number with its 95 % interval over seeds; None where it is undefined, the interval also of single seeds."""

    value: float | None
    """Measure of the mean scores."""
    low: float | None = None
    """2.5 % of the resampled values lie below."""
    high: float | None = None
    """2.5 % of the resampled values lie above."""

    def as_dict(self) -> dict[str, float | None]:
        """The estimate as JSON.

        Returns:
            Value and ends of the interval, None where undefined.
        """
        return {"value": self.value, "low": self.low, "high": self.high}


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rho of two lists of scores, ties sharing their mean rank.

    Args:
        first: Scores (n,).
        second: Scores (n,) of the same networks.

    Returns:
        A number in [-1, 1]; nan for a constant list, or fewer than two networks.
    """
    from scipy.stats import rankdata

    if _undefined(first, second):
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def kendall(first: Floats, second: Floats) -> float:
    """Kendall's tau-b of two lists of scores, which corrects for ties.

    Args:
        first: Scores (n,).
        second: Scores (n,) of the same networks.

    Returns:
        A number in [-1, 1]; nan for a constant list, or fewer than two networks.
    """
    from scipy.stats import kendalltau

    if _undefined(first, second):
        return float("nan")
    result: Any = kendalltau(first, second)
    return float(result.statistic)


def best(scores: Floats, k: int) -> NDArray[np.int64]:
    """Positions of the highest scores.

    Args:
        scores: Scores (n,).
        k: Number of positions.

    Returns:
        Positions (k,), the highest score first; of equals the earlier.
    """
    return np.argsort(-scores, kind="stable")[:k]


def regret(proxy: Floats, truth: Floats) -> float:
    """True score of the network that the proxy puts first, minus the best true score.

    Args:
        proxy: Scores (n,) on the proxy.
        truth: True scores (n,).

    Returns:
        0 at best, else negative.
    """
    return float(truth[best(proxy, 1)[0]] - truth.max())


def measures(proxy: Floats, truth: Floats) -> dict[str, float]:
    """Every measure of two lists of scores.

    ``spearman`` and ``kendall`` are over all networks, ``spearman.truth.5`` among the five best by truth,
    ``spearman.proxy.5`` among the five best by proxy, for each of ``KS`` below n; ``regret`` is of the proxy's first.

    Args:
        proxy: Scores (n,) on the proxy.
        truth: True scores (n,).

    Returns:
        Values by name; nan where undefined.
    """
    parts = {"": np.arange(len(truth))}
    for k in KS:
        if k < len(truth):
            parts[f".truth.{k}"], parts[f".proxy.{k}"] = best(truth, k), best(proxy, k)
    values = {}
    for part, rows in parts.items():
        values[f"spearman{part}"] = spearman(proxy[rows], truth[rows])
        values[f"kendall{part}"] = kendall(proxy[rows], truth[rows])
    return {**values, "regret": regret(proxy, truth)}


def agreement(proxy: Floats, truth: Floats, *, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, RankEstimate]:
    """Every measure of the mean scores, with an interval over the seeds of both.

    The interval holds the middle 95 % of the values that come out when the seeds of the proxy and of the truth are
    drawn again, with replacement, each time the same for all networks. Networks are not drawn, so it speaks of these
    networks; with three seeds it is coarse.

    Args:
        proxy: (n, s) scores of n networks under s seeds.
        truth: (n, t) true scores under t seeds.
        seed: Of the draws.
        resamples: Number of draws.

    Returns:
        Estimates by name, as in ``measures``; without an interval for a single seed of both.
    """
    value = measures(_means(proxy), _means(truth))
    drawn = _drawn(proxy, truth, seed, resamples) if max(proxy.shape[1], truth.shape[1]) > 1 else {}
    return {name: _measure(value[name], drawn.get(name)) for name in value}


def _drawn(proxy: Floats, truth: Floats, seed: int, resamples: int) -> Mapping[str, Floats]:
    """Each measure over the resamples, (resamples,). Equal draws, of which few seeds give many, are worked out once."""
    generator = np.random.default_rng(derive(seed, "nas", "seeds drawn again"))
    draws: Counter[tuple[tuple[int, ...], tuple[int, ...]]] = Counter()
    for _ in range(resamples):
        picks = [np.sort(generator.integers(0, count, count)) for count in (proxy.shape[1], truth.shape[1])]
        draws[tuple(picks[0].tolist()), tuple(picks[1].tolist())] += 1
    samples: dict[str, list[float]] = {}
    for (of_proxy, of_truth), times in draws.items():
        for name, value in measures(_means(proxy[:, of_proxy]), _means(truth[:, of_truth])).items():
            samples.setdefault(name, []).extend([value] * times)
    return {name: np.array(values) for name, values in samples.items()}


def _means(scores: Floats) -> Floats:
    """(n, s) to (n,), rounded so that equal scores of seeds in another order are equal on average too."""
    return scores.mean(1).round(12)


def _measure(value: float, drawn: Any) -> RankEstimate:
    if np.isnan(value):
        return RankEstimate(None)
    if drawn is None:
        return RankEstimate(value)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return RankEstimate(value, float(low), float(high))


def _undefined(first: Floats, second: Floats) -> bool:
    return len(first) < 2 or bool((first == first[0]).all() or (second == second[0]).all())
