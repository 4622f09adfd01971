"""Accuracies of one candidate: its rate is chosen on validation, from a list that all share; then runs are tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.evaluate.ddranking.baselines import Candidate, RankingSetup
from ddbench.evaluate.ddranking.scores import Runs
from ddbench.evaluate.lr_search import search_rate
from ddbench.evaluate.score_cache import ScoreCache
from ddbench.evaluate.scores import Scores, SplitName

ReportProgress = Callable[[str, float, float], None]
"""Called after every finished training with the candidate's name, the rate and the accuracy."""


@dataclass(frozen=True, kw_only=True)
class SideResult:
    """Accuracies of one candidate on the test split, a fraction a run, and the search of its rate."""

    accuracy: Runs
    """On the test split, one a run."""
    lr: float | None = None
    """The rate of all runs."""
    tried: tuple[tuple[float, Runs], ...] = ()
    """Every rate with its accuracies on validation, none where a single rate was allowed."""
    recipe: str | None = None
    """Key of the protocol; None where nothing was trained."""
    recipe_fingerprint: str | None = None
    """Of every number of the protocol; None where nothing was trained."""
    epochs: int | None = None
    """Epochs of the protocol; None where nothing was trained."""
    given: bool = False
    """True where the user named the accuracy, so that nothing was trained and recipe and rate are not known."""
    seconds: float = 0.0
    """Of all its trainings together, those of earlier calls included."""
    notes: tuple[str, ...] = ()
    """Notes for readers of the scores."""

    @property
    def trainings(self) -> int:
        """Number of networks trained for it."""
        return 0 if self.given else len(self.accuracy) + sum(len(runs) for _, runs in self.tried)


def trainings_of(rates: Sequence[float], seeds: Sequence[int], search_seeds: Sequence[int]) -> int:
    """Number of networks that :func:`train_and_test` trains for any candidate.

    Args:
        rates: Learning rates to choose from; a single one is not searched.
        seeds: Seeds of the runs that are tested.
        search_seeds: Seeds of the networks that rates are compared with.

    Returns:
        Searches and tests together.
    """
    return len(seeds) + (len(rates) * len(search_seeds) if len(rates) > 1 else 0)


def train_and_test(
    candidate: Candidate,
    bench: RankingSetup,
    *,
    rates: Sequence[float],
    seeds: Sequence[int],
    search_seeds: Sequence[int],
    cache: ScoreCache,
    report: ReportProgress,
) -> SideResult:
    """Train and test one candidate.

    A single rate is taken as it is, and needs no validation split. Of several, the highest mean on validation wins, of
    equals the lower rate.

    Args:
        candidate: Images and labels of one side.
        bench: Everything that the candidates share.
        rates: Learning rates, ascending, the same for all candidates.
        seeds: Seeds of the runs that are tested.
        search_seeds: Seeds of the networks that rates are compared with, and of the random images they are trained on;
            none of them is tested.
        cache: Scores of single trainings; those that are in it are not trained again.
        report: Called as networks are done.

    Returns:
        Test accuracies in the order of ``seeds``, the rate, and all that was tried for it.
    """
    seconds = 0.0

    def scores_of(chosen: Sequence[int], lr: float, split: SplitName) -> Scores:
        nonlocal seconds
        scores = _one_by_one(candidate, bench, chosen, lr, split, cache, report)
        seconds += scores.seconds
        return scores

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
    cache: ScoreCache,
    report: ReportProgress,
) -> Scores:
    """The scores of these seeds, each read where it is known, else trained and written as soon as it is done."""
    key = {
        "contender": candidate.identity,
        "recipe": candidate.recipe.fingerprint,
        "protocol": candidate.recipe.key,
        "real": bench.real.fingerprint,
        "mirror": bench.real.mirror,
        "teachers": bench.teachers_fingerprint if candidate.recipe.loss == "kl" else None,
        "network": bench.network,
        "lr": lr,
        "split": split,
    }
    known: dict[int, dict[str, Any]] = {}

    def note(documents: Mapping[int, dict[str, Any]]) -> None:
        known.update(documents)
        for document in documents.values():
            report(candidate.name, lr, document["accuracy"])

    for seed in seeds:
        if (document := cache.find({**key, "seed": seed})) is not None:
            note({seed: document})
    missing = [seed for seed in seeds if seed not in known]
    for first in range(0, len(missing), candidate.together):
        note(cache.keep_seeds(key, candidate.train(missing[first : first + candidate.together], lr, split)))
    every = [known[seed] for seed in seeds]
    return Scores(
        accuracy=tuple(float(document["accuracy"]) for document in every),
        seeds=tuple(seeds),
        network=bench.network,
        protocol=candidate.recipe.key,
        split=split,
        lr=lr,
        seconds=sum(document["seconds"] for document in every),
        peak_bytes=max(document["peak_bytes"] for document in every),
        notes=tuple(dict.fromkeys(note for document in every for note in document["notes"])),
    )
