"""DD-Ranking's quantities, pure functions of accuracies: HLR, IOR, alpha and LRS; beta and ARS.

Source: NUS-HPC-AI-Lab/DD-Ranking v0.2.0, its documentation and ``ddranking/metrics`` (arXiv:2505.13300). Differs: all
accuracies are fractions. The released code applies the exponential to percentages, where an alpha of 10 points gives
9368 instead of 0.31; its HLR and IOR, in points, are ours times 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from statistics import fmean, pstdev

Runs = tuple[float, ...]
"""One number a run."""


def exponential_score(value: float) -> float:
    """Map alpha to LRS, and beta to ARS: ``(e^value - 1/e) / (e - 1/e)``.

    It grows with value, and is 0 at -1, 0.1015 at -0.5, 0.2689 at 0, 0.5449 at 0.5 and 1 at 1, so that a set as good as
    random images that recovers all of the real data's accuracy is not at the middle.

    Args:
        value: Weighted difference of accuracies, in [-1, 1].

    Returns:
        The score, in [0, 1].
    """
    return (math.exp(value) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Mean and population standard deviation over the runs.

    Args:
        values: One a run, one at least.

    Returns:
        Mean and deviation; the deviation of a single run is 0.
    """
    runs = tuple(values)
    return fmean(runs), pstdev(runs)


@dataclass(frozen=True, kw_only=True)
class LabelRobustness:
    """The accuracies behind a label-robust score, one a run, and the weight that may be changed afterwards.

    Raises:
        ValueError: Accuracies that are not fractions, runs that differ in number, and a weight out of range.
    """

    real: Runs
    """Networks trained with hard labels on the real data."""
    syn_hard: Runs
    """Networks trained with hard labels on the synthetic images."""
    syn: Runs
    """With the labels of the track, on the synthetic images; on the hard track the same as ``syn_hard``."""
    random: Runs
    """With the labels of the track, on random real images."""
    weight: float = 0.5
    """w of alpha, of IOR against HLR, in [0, 1]."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def hlr(self) -> Runs:
        """Hard label recovery: what the synthetic images lack of the real data; smaller is better."""
        return tuple(real - syn for real, syn in zip(self.real, self.syn_hard, strict=True))

    @property
    def ior(self) -> Runs:
        """Improvement over random images under the same recipe; larger is better."""
        return tuple(syn - random for syn, random in zip(self.syn, self.random, strict=True))

    @property
    def alpha(self) -> Runs:
        """``w IOR - (1 - w) HLR``, in [-1, 1]."""
        return tuple(self.weight * ior - (1 - self.weight) * hlr for ior, hlr in zip(self.ior, self.hlr, strict=True))

    @property
    def lrs(self) -> Runs:
        """The label-robust score, in [0, 1]; larger is better."""
        return tuple(exponential_score(alpha) for alpha in self.alpha)

    def with_weight(self, weight: float) -> LabelRobustness:
        """The same accuracies under another weight.

        Args:
            weight: w of alpha, in [0, 1].

        Returns:
            Quantities that follow from it.
        """
        return replace(self, weight=weight)


@dataclass(frozen=True, kw_only=True)
class AugmentationRobustness:
    """The accuracies behind an augmentation-robust score, one a run, and the weight that may be changed afterwards.

    Raises:
        ValueError: As for ``LabelRobustness``.
    """

    syn_with: Runs
    """Networks trained with augmentation on the synthetic images."""
    random_with: Runs
    """Networks trained with augmentation on random real images."""
    syn_without: Runs
    """Networks trained without augmentation on the synthetic images."""
    random_without: Runs
    """Networks trained without augmentation on random real images."""
    weight: float = 0.5
    """Gamma of beta, of the gain with augmentation against that without, in [0, 1]."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def gain_with(self) -> Runs:
        """Improvement over random images with augmentation."""
        return tuple(syn - random for syn, random in zip(self.syn_with, self.random_with, strict=True))

    @property
    def gain_without(self) -> Runs:
        """Improvement over random images without augmentation."""
        return tuple(syn - random for syn, random in zip(self.syn_without, self.random_without, strict=True))

    @property
    def beta(self) -> Runs:
        """``gamma gain_with + (1 - gamma) gain_without``, in [-1, 1]."""
        return tuple(
            self.weight * with_ + (1 - self.weight) * without
            for with_, without in zip(self.gain_with, self.gain_without, strict=True)
        )

    @property
    def ars(self) -> Runs:
        """The augmentation-robust score, in [0, 1]; larger is better."""
        return tuple(exponential_score(beta) for beta in self.beta)

    def with_weight(self, weight: float) -> AugmentationRobustness:
        """The same accuracies under another weight.

        Args:
            weight: Gamma of beta, in [0, 1].

        Returns:
            Quantities that follow from it.
        """
        return replace(self, weight=weight)


def _check(robustness: LabelRobustness | AugmentationRobustness) -> None:
    sides: dict[str, Runs] = {
        each.name: getattr(robustness, each.name) for each in fields(robustness) if each.name != "weight"
    }
    if len(counts := {len(runs) for runs in sides.values()}) != 1 or 0 in counts:
        raise ValueError(
            f"every side needs one accuracy a run: { ({name: len(runs) for name, runs in sides.items()}) }"
        )
    for name, runs in sides.items():
        if not all(0 <= accuracy <= 1 for accuracy in runs):
            raise ValueError(f"accuracies are fractions in [0, 1], not {name} = {runs}")
    if not 0 <= robustness.weight <= 1:
        raise ValueError(f"a weight is in [0, 1], not {robustness.weight}")
