"""Choice of the number of steps after which networks are tested, among those that a protocol tries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.scores import SplitName
from ddbench.evaluate.training.evaluation_config import EvaluationConfig
from ddbench.evaluate.training.real_split import RealSplit
from ddbench.evaluate.training.train_and_test import SeedResult


@dataclass(frozen=True, kw_only=True)
class ChosenHorizon:
    """The number of steps that was chosen."""

    steps: int
    """Steps after which the networks are tested."""
    split: SplitName
    """Split that it was chosen on."""
    tried: dict[int, float]
    """Mean accuracies (fractions) on that split by number of steps."""
    accuracy: tuple[float, ...]
    """Accuracies of the networks on the split that is tested on, after these steps."""

    @property
    def note(self) -> str:
        """Sentence for readers of the accuracies."""
        means = ", ".join(f"{steps}: {100 * mean:.1f}" for steps, mean in self.tried.items())
        how = "chosen on validation" if self.split == "validation" else "the best on TEST, so flattered"
        return f"tested after {self.steps} steps, {how} ({means})"


def choose_horizon(horizons: Sequence[int], results: Sequence[SeedResult], split: SplitName) -> ChosenHorizon:
    """Choose the number of steps with the highest mean accuracy, of equals the lowest.

    Args:
        horizons: Numbers of steps, rising.
        results: Results of the networks, with their accuracies after each.
        split: Name of the split that is chosen on.

    Returns:
        The choice.
    """
    tried = {
        steps: fmean(result.at_horizons[position][0] for result in results) for position, steps in enumerate(horizons)
    }
    best = max(tried, key=lambda steps: (tried[steps], -steps))
    position = list(horizons).index(best)
    accuracy = tuple(result.at_horizons[position][1] for result in results)
    return ChosenHorizon(steps=best, split=split, tried=tried, accuracy=accuracy)


def choosing_split(config: EvaluationConfig, real: RealSet, split: SplitName, on: SplitName) -> RealSplit | None:
    """Take the images on which a horizon is chosen.

    Args:
        config: Resolved evaluation.
        real: Real set.
        split: Name of the split that is tested on.
        on: Name of the split that is chosen on.

    Returns:
        The images; None where there is nothing to choose, or it is chosen on those that are tested on.

    Raises:
        UserError: It is to be chosen on validation, and there are no validation images.
    """
    if not config.horizons or on == split or split == "validation":
        return None
    if not len(real.validation):
        raise UserError(
            f"{config.protocol} chooses the number of steps on validation, and there are no validation images",
            f"tries {', '.join(map(str, config.horizons))} steps",
            fix=f"give the number: --steps {config.horizons[-1]} (steps={config.horizons[-1]} in Python), or set "
            "validation: 0.1",
        )
    return RealSplit(real.validation, real.preprocessing, config.device)
