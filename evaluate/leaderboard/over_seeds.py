"""Mean and spread of rows that differ in the seed of distillation alone: over distillation and evaluation seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, pstdev, pvariance
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.evaluate.leaderboard.row import Row


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Accuracies of several distillations of one setting, as fractions."""

    mean: float
    """Of the sets' means: every distillation counts the same."""
    distillation_std: float | None
    """Population standard deviation of the sets' means; None for a single distillation."""
    evaluation_std: float | None
    """Population standard deviation over the networks trained on one set, root mean square over the sets; None where
    every set was scored by a single network."""


def spread(values: Sequence[Sequence[float]]) -> Spread:
    """Summarize scores of several distillations.

    Args:
        values: One sequence a distillation, of one score a network.

    Returns:
        Mean and standard deviations, each None where a single value has none.
    """
    means = [fmean(scores) for scores in values]
    variances = [pvariance(scores) for scores in values if len(scores) > 1]
    return Spread(
        mean=fmean(means),
        distillation_std=pstdev(means) if len(means) > 1 else None,
        evaluation_std=math.sqrt(fmean(variances)) if variances else None,
    )


def settings_of(rows: Sequence[Row], test_splits: Sequence[str]) -> list[str]:
    """Name the setting of each row: what it follows from apart from the seeds of distillation and evaluation.

    Args:
        rows: Of any settings.
        test_splits: What tells apart the test splits behind each row's data set, see ``test_split_names``.

    Returns:
        A text for each row; equal where rows differ in the distillation seed alone. Two rows of one distillation seed
        never share a setting: the later one is the same question asked again.
    """
    seen: set[tuple[str, int | None]] = set()
    names = []
    for row, split in zip(rows, test_splits, strict=True):
        name, copy = fingerprint(_setting(row, split)), 1
        while (key := (name if copy == 1 else f"{name}-{copy}", row.made_with_seed)) in seen:
            copy += 1
        seen.add(key)
        names.append(key[0])
    return names


def _setting(row: Row, split: str) -> dict[str, Any]:
    facts = ("dataset", "method", "label", "ipc", "network", "student", "protocol", "selection", "lr_policy")
    setting: dict[str, Any] = {name: getattr(row, name) for name in facts}
    setting |= {"tested on": split, "conditions": row.conditions, "networks": len(row.seeds)}
    if row.made_with_seed is None:
        return {**setting, "set": row.synthetic_sha256}
    return {**setting, "recipe": {k: v for k, v in row.recipe.items() if k not in ("seed", "seeds")}}


def over_seeds(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarize the rows of one setting, as JSON.

    Args:
        rows: One a distillation seed.

    Returns:
        ``distillation_seeds``; ``networks``, how many were trained on all sets together; and for ``accuracy`` and
        ``score``, by which rows are ranked, the values of a :class:`Spread`.
    """
    return {
        "distillation_seeds": [row.made_with_seed for row in rows],
        "networks": sum(len(row.seeds) for row in rows),
        "accuracy": asdict(spread([row.accuracy for row in rows])),
        "score": asdict(spread([row.score for row in rows])),
    }


def plus_minus(spread: Mapping[str, float | None]) -> str:
    """Write standard deviations in percent: ``0.9``, or ``0.4 / 0.9`` of several distillations, or nothing.

    Args:
        spread: ``distillation_std`` and ``evaluation_std``, fractions; None where there is none.

    Returns:
        The text.
    """
    distillation, evaluation = spread["distillation_std"], spread["evaluation_std"]
    networks = "" if evaluation is None else f"{100 * evaluation:.1f}"
    return networks if distillation is None else f"{100 * distillation:.1f} / {networks or '-'}"


SEVERAL = "± a / b: population std over distillation seeds (of the sets' means) / over evaluation seeds (of one set)"
"""What a table says where some of its settings were distilled with several seeds."""
