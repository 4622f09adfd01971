"""Measuring a synthetic set as DD-Ranking asks, with what its release leaves open made fair and repeatable.

Every side (synthetic, random, real) is given the same list of learning rates and the same number of trainings to
choose among them, on the validation split; a rate that a set has learned is one of the rates for nobody. The release
tries five rates for random images and one for a set that brings its own, and chooses by test accuracy. The accuracy is
of the last epoch; the release takes the best epoch by test accuracy. Random images follow from the seed of a run;
there, from the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ddbench.data.realset import RealSet
from ddbench.evaluate.compatibility import require_labels
from ddbench.evaluate.ddranking.baselines import Candidate, RankingSetup, of_random, of_real, of_set, with_classes
from ddbench.evaluate.ddranking.checks import require_data, require_question, require_teachers
from ddbench.evaluate.ddranking.measurement import Measurement
from ddbench.evaluate.ddranking.recipes import (
    LabelMode,
    Track,
    hard_recipe_of,
    recipe_of,
    without_augmentation,
)
from ddbench.evaluate.ddranking.train_and_test import SideResult, train_and_test, trainings_of
from ddbench.evaluate.leaderboard.make_row import synthetic_sha256
from ddbench.evaluate.leaderboard.row import without_paths
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.score_cache import ScoreCache
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.runtime.compute import Compute
from ddbench.runtime.progress import Progress
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


def measure(
    syn: SyntheticSet,
    real: RealSet,
    *,
    track: Track = "hard",
    labels: LabelMode = "S",
    network: str | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    searches: int = 1,
    rates: Sequence[float] = RATES,
    epochs: int | None = None,
    weight: float = 0.5,
    ars: bool = False,
    ars_weight: float = 0.5,
    teachers: Teachers | None = None,
    real_accuracy: float | None = None,
    compute: Compute = Compute(),
    folder: Path | None = None,
) -> Measurement:
    """HLR, IOR and LRS of a synthetic set, and ARS on demand, with the accuracies behind them.

    Args:
        syn: Synthetic set; labels of single views and images to warm up with are not used.
        real: Real set that it was distilled from.
        track: "hard" or "soft".
        labels: On the soft track, the set's own ("S") or those that ``teachers`` give to every batch ("M"); in both,
            teachers label the random images.
        network: None takes the one that the set was distilled with.
        seeds: One run each.
        searches: Networks that each rate is tried with on validation; a single rate needs none.
        rates: Learning rates to choose from, the same for every candidate.
        epochs: None is the recipe's 300.
        weight: Weight of IOR in alpha, against HLR.
        ars: Measure ARS too, by candidates without augmentation.
        ars_weight: Weight in beta of accuracies with augmentation, against those without.
        teachers: Networks of the soft track; None on the hard one.
        real_accuracy: A fraction known from elsewhere, instead of training on all real data.
        compute: How networks are trained and tested.
        folder: Folder of finished trainings, which are not trained again; None stores nothing.

    Returns:
        The measurement, accuracies in the order of ``seeds``.

    Raises:
        UserError: Names, weights, rates and accuracies that can not be, missing teachers, a validation split that is
            empty where rates are to be chosen, an ipc larger than a class, and as in ``score``.
    """
    require_question(track, labels, rates, seeds, searches, epochs, weight, ars_weight, real_accuracy)
    device, bare = compute.device, replace(syn, epoch_labels=None, warm_images=None)
    recipe, hard_recipe = (chosen.with_epochs(epochs) for chosen in (recipe_of(track, labels), hard_recipe_of(track)))
    require_teachers(track, teachers)
    teachers = None if teachers is None else teachers.to(device)
    require_data(syn, real, rates)
    require_labels(bare, recipe, real, teachers)

    hard, notes = with_classes(bare)
    ready = {name: images.to(device) for name, images in (("own", bare), ("hard", hard))}
    on_track = ready["hard" if track == "hard" else "own"]
    bench = RankingSetup(
        real=real.to(device),
        network=canonical_network_name(network or syn.network),
        compute=compute.silent(),
        teachers=teachers,
    )
    candidates = [of_set(bench, "syn", on_track, recipe), of_random(bench, "random", on_track, recipe)]
    if track == "soft":
        candidates += [of_set(bench, "syn_hard", ready["hard"], hard_recipe)]
    if ars:
        candidates += [
            of_set(bench, "syn_plain", on_track, without_augmentation(recipe)),
            of_random(bench, "random_plain", on_track, without_augmentation(recipe)),
        ]
    candidates += [] if real_accuracy is not None else [of_real(bench, "real", hard_recipe)]

    sides = _all(candidates, bench, sorted(set(rates)), seeds, searches, folder, compute.progress)
    if real_accuracy is not None:
        sides["real"] = SideResult(accuracy=(float(real_accuracy),) * len(seeds), given=True)
    return Measurement(
        method=syn.method,
        dataset=without_paths(real.name),
        ipc=syn.ipc,
        network=bench.network,
        track=track,
        labels=labels if track == "soft" else None,
        seeds=tuple(seeds),
        search_seeds=_search_seeds(seeds, searches, rates),
        rates=tuple(sorted(set(rates))),
        weight=weight,
        ars_weight=ars_weight,
        sides=sides,
        synthetic_sha256=synthetic_sha256(syn),
        real_fingerprint=real.fingerprint,
        mirror=real.mirror,
        preprocessing_fingerprint=real.preprocessing.fingerprint,
        teachers={} if teachers is None else teachers.bytes,
        teachers_fingerprint=bench.teachers_fingerprint,
        device=device_name(device),
        code=code_identity(),
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
        notes=(*notes, *_evaluation_context(syn, epochs, teachers)),
    )


def _all(
    candidates: Sequence[Candidate],
    bench: RankingSetup,
    rates: Sequence[float],
    seeds: Sequence[int],
    searches: int,
    folder: Path | None,
    meter: Progress,
) -> dict[str, SideResult]:
    """Result of every candidate, by name. Progress is the number of finished trainings: a training is short."""
    done = 0
    search_seeds = _search_seeds(seeds, searches, rates)
    meter.start(len(candidates) * trainings_of(rates, seeds, search_seeds), "DD-Ranking")

    def report(name: str, lr: float, accuracy: float) -> None:
        nonlocal done
        done += 1
        meter.update(done, side=name, lr=f"{lr:g}", accuracy=f"{accuracy:.4f}")

    try:
        return {
            candidate.name: train_and_test(
                candidate,
                bench,
                rates=rates,
                seeds=seeds,
                search_seeds=search_seeds,
                cache=ScoreCache(folder),
                report=report,
            )
            for candidate in candidates
        }
    finally:
        meter.close()


def _search_seeds(seeds: Sequence[int], searches: int, rates: Sequence[float]) -> tuple[int, ...]:
    """Seeds of the networks that rates are compared with, never those of a run; none for a single rate."""
    if len(set(rates)) == 1:
        return ()
    return tuple(derive(seeds[0], "ddranking", "search", number) for number in range(searches))


def _evaluation_context(syn: SyntheticSet, epochs: int | None, teachers: Teachers | None) -> list[str]:
    """What a reader of the scores must know, apart from where classes come from."""
    notes = []
    if teachers is not None:
        known = zip(teachers.networks, teachers.accuracy, strict=True)
        notes += ["teachers: " + ", ".join(f"{name} ({100 * accuracy:.1f} % on test)" for name, accuracy in known)]
    if epochs is not None:
        notes += [f"trained for {epochs} epochs, not the recipe's own number"]
    if syn.student_lr is not None:
        notes += ["the learning rate that the set has learned was not used: no side has a rate of its own"]
    if syn.epoch_labels is not None:
        notes += ["the labels stored for every epoch were not used"]
    if syn.warm_images is not None:
        notes += ["the images to warm up on were not used"]
    if syn.formation > 1:
        notes += [
            f"an epoch shows {syn.formation**2} times as many synthetic images as random ones, {syn.formation} a side"
        ]
    return notes
