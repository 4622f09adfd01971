"""Accuracies of one candidate: its rate is chosen on validation, from a list that all share; then runs are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.evaluate.ddranking.baselines import Candidate, RankingSetup
from ddbench.evaluate.ddranking.score_cache import TrainingScores
from ddbench.evaluate.ddranking.scores import Runs
from ddbench.evaluate.lr_search import search_rate
from ddbench.evaluate.scores import Scores, SplitName

ReportProgress = Callable[[str, float, float], None]
"""Told of every finished training: the contender's name, the rate, the accuracy."""


@dataclass(frozen=True, kw_only=True)
class SideResult:
    """What one contender reached on the test split, a fraction a run, and how its rate was found."""

    accuracy: Runs
    lr: float | None = None
    """The rate of all runs."""
    tried: tuple[tuple[float, Runs], ...] = ()
    """Every rate with its accuracies on validation, none where a single rate was allowed."""
    recipe: str | None = None
    recipe_fingerprint: str | None = None
    epochs: int | None = None
    given: bool = False
    """Whether the user named the accuracy, so that nothing was trained and recipe and rate are not known."""
    seconds: float = 0.0
    """Of all its trainings together, also of those that were kept from before."""
    notes: tuple[str, ...] = ()

    @property
    def trainings(self) -> int:
        """How many networks were trained for it."""
        return 0 if self.given else len(self.accuracy) + sum(len(runs) for _, runs in self.tried)


def trainings_of(rates: Sequence[float], seeds: Sequence[int], search_seeds: Sequence[int]) -> int:
    """How many networks :func:`compete` trains, whoever competes."""
    return len(seeds) + (len(rates) * len(search_seeds) if len(rates) > 1 else 0)


def train_and_test(
    candidate: Candidate,
    bench: RankingSetup,
    *,
    rates: Sequence[float],
    seeds: Sequence[int],
    search_seeds: Sequence[int],
    cache: TrainingScores,
    report: ReportProgress,
) -> SideResult:
    """Train and test one contender.

    A single rate is taken as it is, and no validation split is asked for.

    The highest mean on validation wins, of equals the lower rate.

    Args:
        search_seeds: Of the networks that judge rates, and of the random images they are trained on; none of them is
            tested.
    """
    seconds = 0.0

    def scores_of(chosen: Sequence[int], lr: float, split: SplitName) -> Scores:
        nonlocal seconds
        found = _one_by_one(candidate, bench, chosen, lr, split, cache, report)
        seconds += found.seconds
        return found

    lr, tried = rates[0], ()
    if len(rates) > 1:
        search = search_rate(lambda rate: scores_of(search_seeds, rate, "validation"), tuple(rates))
        lr, tried = search.lr, tuple((rate, tuple(runs)) for rate, runs in search.tried.items())
    tested = scores_of(seeds, lr, "test")
    return SideResult(
        accuracy=tested.accuracy,
        lr=lr,
        tried=tried,
        recipe=candidate.recipe.key,
        recipe_fingerprint=candidate.recipe.fingerprint,
        epochs=candidate.recipe.setting.epochs,
        seconds=seconds,
        notes=tested.notes,
    )


def _one_by_one(
    candidate: Candidate,
    bench: RankingSetup,
    seeds: Sequence[int],
    lr: float,
    split: SplitName,
    cache: TrainingScores,
    report: ReportProgress,
) -> Scores:
    """The scores of these seeds, each read where it is kept, else trained and kept as soon as it is done."""

    def question(seed: int) -> dict[str, Any]:
        return {
            "contender": candidate.identity,
            "recipe": candidate.recipe.fingerprint,
            "protocol": candidate.recipe.key,
            "real": bench.real.fingerprint,
            "mirror": bench.real.mirror,
            "teachers": bench.teachers_fingerprint if candidate.recipe.loss == "kl" else None,
            "network": bench.network,
            "seed": seed,
            "lr": lr,
            "split": split,
        }

    known: dict[int, Scores] = {}
    for seed in seeds:
        if (found := cache.find(question(seed))) is not None:
            known[seed] = found
            report(candidate.name, lr, found.accuracy[0])
    for some in _pieces([seed for seed in seeds if seed not in known], candidate.together):
        scores = candidate.train(some, lr, split)
        for position, seed in enumerate(some):
            known[seed] = cache.keep(question(seed), scores, position)
            report(candidate.name, lr, known[seed].accuracy[0])
    return _joined([known[seed] for seed in seeds])


def _pieces(seeds: list[int], size: int) -> Iterator[list[int]]:
    return (seeds[start : start + size] for start in range(0, len(seeds), size))


def _joined(alone: list[Scores]) -> Scores:
    first = alone[0]
    return Scores(
        accuracy=tuple(scores.accuracy[0] for scores in alone),
        seeds=tuple(scores.seeds[0] for scores in alone),
        network=first.network,
        protocol=first.protocol,
        split=first.split,
        lr=first.lr,
        seconds=sum(scores.seconds for scores in alone),
        peak_bytes=max(scores.peak_bytes for scores in alone),
        notes=tuple(dict.fromkeys(note for scores in alone for note in scores.notes)),
    )
