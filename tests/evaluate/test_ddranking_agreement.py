"""HLR and IOR are those of the released ``ddranking`` package, on data small enough to train both.

``RELEASED`` was recorded with ddranking 0.2.0 (PyPI, installed without its pinned dependencies beside torch 2.15 and
numpy 2) by the calls of ``released`` below, on a CPU; where the package is installed, they are made anew. Both sides
train the same networks from the same first parameters on the same images, without augmentation, for 20 epochs at a
constant rate, and are tested once, after the last; sets fit in one batch, so that no order of images matters.
"""

from dataclasses import replace
from statistics import fmean, pstdev

import pytest
from helpers.released_ddranking import EPOCHS, NETWORK, averaged, patterned_real, released, released_ars, teacher_of
from torch.nn import functional

from ddbench.evaluate.ddranking import measure as measuring
from ddbench.evaluate.ddranking.measure import measure
from ddbench.evaluate.ddranking.recipes import HARD, SOFT, SOFT_M, without_augmentation
from ddbench.evaluate.ddranking.scores import AugmentationRobustness, exponential_score

RUNS = (0, 1, 2)
ONE_RATE = 0.01

RELEASED = {
    "hard, one rate": {"hlr": (-3.7037, 1.3858), "ior": (26.6667, 3.2710)},
    "hard, five rates": {"hlr": (4.4444, 1.5713), "ior": (26.6667, 5.5184)},
    "soft M, one rate": {"hlr": (-3.7037, 1.3858), "ior": (6.6667, 4.1574)},
    "soft S, one rate": {"hlr": (-3.7037, 1.3858), "ior": (16.6667, 7.0856)},
}
"""Mean and population standard deviation over three runs, in points."""

ARS_ACCURACIES = ((61.5, 48.25), (52.0, 55.75), (57.0, 44.5), (49.5, 41.25))
RELEASED_ARS = {
    "with_aug_scores": [1.0, 8.5],
    "without_aug_scores": [5.375, 2.125],
    "augmentation_robust_score": [700.8922492042349, 700.6125372353785],
}

ONE_IMAGE = 100 / 90 / 3
"""What one answer of one run is in a mean over the runs, in points: machines may round a tie differently."""


def both_sets(real):
    """The synthetic set with hard labels, and with logits: a teacher's, which a little of the truth was added to."""
    hard = averaged(real)
    logits = teacher_of(real).logits(hard.images) + 3 * functional.one_hot(hard.labels)
    return {"hard": hard, "soft": replace(hard, labels=logits, label_kind="logits")}


@pytest.fixture(scope="module")
def real():
    return patterned_real()


@pytest.fixture(scope="module")
def sets(real):
    return both_sets(real)


@pytest.fixture
def as_released(monkeypatch):
    """The recipes without what can not be made equal: augmentation, and the epoch at which the rate drops."""

    def constant(recipe):
        return replace(without_augmentation(recipe).with_epochs(EPOCHS), schedule="constant")

    monkeypatch.setattr(measuring, "hard_recipe_of", lambda track: constant(HARD))
    monkeypatch.setattr(
        measuring, "recipe_of", lambda track, mode: constant({"hard": HARD}.get(track, SOFT if mode == "S" else SOFT_M))
    )


def measured(case, real, sets, monkeypatch):
    """Our HLR and IOR by run, in points."""
    if case == "hard, five rates":
        # The release judges a rate by the very network, and the very test images, that it then reports.
        monkeypatch.setattr(measuring, "_search_seeds", lambda seeds, *_: tuple(seeds))
        found = [measure(sets["hard"], real, seeds=(run,), network=NETWORK, real_accuracy=0.8) for run in RUNS]
        assert len({side.lr for each in found for side in each.sides.values()}) > 2
    else:
        kind, mode = case.split(",")[0].partition(" ")[::2]
        found = [
            measure(
                sets["soft" if mode == "S" else "hard"],
                real,
                track=kind,
                labels=mode or "S",
                seeds=RUNS,
                network=NETWORK,
                rates=(ONE_RATE,),
                teachers=teacher_of(real) if kind == "soft" else None,
            )
        ]
    labels = [each.label_robustness for each in found]
    return [[100 * value for each in labels for value in getattr(each, name)] for name in ("hlr", "ior")]


@pytest.mark.parametrize("case", RELEASED)
def test_hlr_and_ior_are_those_recorded_from_the_release(case, real, sets, as_released, monkeypatch):
    hlr, ior = measured(case, real, sets, monkeypatch)
    recorded = RELEASED[case]
    assert abs(recorded["hlr"][0]) > 2 * ONE_IMAGE and abs(recorded["ior"][0]) > 2 * ONE_IMAGE
    for runs, (mean, std) in ((hlr, recorded["hlr"]), (ior, recorded["ior"])):
        assert fmean(runs) == pytest.approx(mean, abs=2 * ONE_IMAGE)
        assert pstdev(runs) == pytest.approx(std, abs=2 * ONE_IMAGE)


@pytest.mark.parametrize("case", RELEASED)
def test_hlr_and_ior_are_those_of_the_installed_package(case, real, sets, as_released, monkeypatch):
    pytest.importorskip("ddranking")
    hlr, ior = measured(case, real, sets, monkeypatch)
    theirs = theirs_of(case, real, sets)
    for runs, name in ((hlr, "hard_label_recovery"), (ior, "improvement_over_random")):
        assert fmean(runs) == pytest.approx(theirs[f"{name}_mean"], abs=ONE_IMAGE)
        assert pstdev(runs) == pytest.approx(theirs[f"{name}_std"], abs=ONE_IMAGE)
    # The release puts points where the formula has fractions; the same formula on points gives its number.
    points = [0.5 * ior_points - 0.5 * hlr_points for ior_points, hlr_points in zip(ior, hlr, strict=True)]
    inflated = fmean(exponential_score(point) for point in points)
    assert inflated == pytest.approx(theirs["label_robust_score_mean"], rel=1e-3)
    assert not 0 <= inflated <= 1


def theirs_of(case, real, sets):
    """What the package says of the same question."""
    if case == "hard, five rates":
        found = [released("hard_label", real, sets["hard"], (run,), real_accuracy=0.8) for run in RUNS]
        names = ("hard_label_recovery", "improvement_over_random", "label_robust_score")
        means = {name: [float(each[f"{name}_mean"]) for each in found] for name in names}
        return {
            **{f"{name}_mean": fmean(runs) for name, runs in means.items()},
            **{f"{name}_std": pstdev(runs) for name, runs in means.items()},
        }
    if case == "hard, one rate":
        return released("hard_label", real, sets["hard"], RUNS, rate=ONE_RATE)
    syn = sets["soft" if case.startswith("soft S") else "hard"]
    return released("soft_label", real, syn, RUNS, rate=ONE_RATE, teachers=teacher_of(real))


def our_ars():
    fractions = [tuple(accuracy / 100 for accuracy in runs) for runs in ARS_ACCURACIES]
    names = ("syn_with", "random_with", "syn_without", "random_without")
    return AugmentationRobustness(**dict(zip(names, fractions, strict=True)), weight=0.3)


def test_gains_of_ars_are_those_recorded_from_the_release():
    ours = our_ars()
    for name, runs in (("with_aug_scores", ours.gain_with), ("without_aug_scores", ours.gain_without)):
        assert [100 * fmean(runs), 100 * pstdev(runs)] == pytest.approx(RELEASED_ARS[name])
    inflated = [exponential_score(100 * beta) for beta in ours.beta]
    assert [fmean(inflated), pstdev(inflated)] == pytest.approx(RELEASED_ARS["augmentation_robust_score"])


def test_gains_of_ars_are_those_of_the_installed_package():
    pytest.importorskip("ddranking")
    theirs = released_ars(*ARS_ACCURACIES)
    for name, recorded in RELEASED_ARS.items():
        assert [theirs[f"{name}_mean"], theirs[f"{name}_std"]] == pytest.approx(recorded)
