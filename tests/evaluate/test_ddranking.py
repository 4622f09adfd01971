"""DD-Ranking's quantities: anchors, monotonicity, weights; its recipes; the numbers it prints."""

import math
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ddbench.evaluate.ddranking.published import look_up, printed_numbers
from ddbench.evaluate.ddranking.recipes import (
    HARD,
    RECIPES,
    SOFT,
    SOFT_M,
    hard_recipe_of,
    recipe_of,
    without_augmentation,
)
from ddbench.evaluate.ddranking.scores import (
    AugmentationRobustness,
    LabelRobustness,
    exponential_score,
    spread,
)

QUICK = settings(deadline=None, max_examples=60)
FRACTION = st.floats(0, 1)
RUNS = st.integers(1, 6).flatmap(
    lambda runs: st.lists(st.tuples(*[FRACTION] * 4), min_size=runs, max_size=runs).map(
        lambda rows: tuple(tuple(side) for side in zip(*rows, strict=True))
    )
)


def label_robustness(sides, weight=0.5):
    return LabelRobustness(real=sides[0], syn_hard=sides[1], syn=sides[2], random=sides[3], weight=weight)


def augmentation_robustness(sides, weight=0.5):
    names = ("syn_with", "random_with", "syn_without", "random_without")
    return AugmentationRobustness(**dict(zip(names, sides, strict=True)), weight=weight)


@pytest.mark.parametrize(("value", "score"), [(-1.0, 0.0), (-0.5, 0.1015), (0.0, 0.2689), (0.5, 0.5449), (1.0, 1.0)])
def test_anchors_of_the_exponential_score(value, score):
    assert exponential_score(value) == pytest.approx(score, abs=5e-5)


@QUICK
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_score_is_a_fraction_and_grows_with_its_argument(first, second):
    assert 0 <= exponential_score(first) <= 1
    assume(abs(first - second) > 1e-9)
    assert (exponential_score(first) < exponential_score(second)) == (first < second)


@QUICK
@given(RUNS, FRACTION)
def test_scores_of_any_accuracies_are_fractions(sides, weight):
    label, augmentation = label_robustness(sides, weight), augmentation_robustness(sides, weight)
    for runs in (label.lrs, augmentation.ars):
        assert len(runs) == len(sides[0]) and all(0 <= score <= 1 for score in runs)
    for runs in (label.alpha, augmentation.beta):
        assert all(-1 <= value <= 1 for value in runs)


@QUICK
@given(RUNS, FRACTION)
def test_quantities_by_their_definitions(sides, weight):
    label, augmentation = label_robustness(sides, weight), augmentation_robustness(sides, weight)
    for run, (real, syn_hard, syn, random) in enumerate(zip(*sides, strict=True)):
        hlr, ior = real - syn_hard, syn - random
        assert (label.hlr[run], label.ior[run]) == (hlr, ior)
        assert label.alpha[run] == pytest.approx(weight * ior - (1 - weight) * hlr)
        assert label.lrs[run] == pytest.approx((math.exp(label.alpha[run]) - 1 / math.e) / (math.e - 1 / math.e))
        assert augmentation.beta[run] == pytest.approx(weight * (real - syn_hard) + (1 - weight) * (syn - random))


@QUICK
@given(RUNS, FRACTION, FRACTION)
def test_another_weight_is_as_if_measured_with_it(sides, before, after):
    for made in (label_robustness, augmentation_robustness):
        assert made(sides, before).with_weight(after) == made(sides, after)


@QUICK
@given(RUNS, st.integers(0, 3), st.floats(0.001, 0.2), st.floats(0.05, 0.95))
def test_lrs_rises_with_the_synthetic_accuracy_and_falls_with_the_others(sides, side, step, weight):
    raised = [tuple(min(1.0, value + step) for value in runs) if at == side else runs for at, runs in enumerate(sides)]
    assume(all(new - old > 1e-6 for new, old in zip(raised[side], sides[side], strict=True)))
    before, after = label_robustness(sides, weight).lrs, label_robustness(raised, weight).lrs
    better = side in (1, 2)
    assert all((new > old) == better for new, old in zip(after, before, strict=True))


def test_weights_at_their_ends_leave_one_half():
    sides = ((0.9, 0.8), (0.5, 0.6), (0.7, 0.65), (0.4, 0.5))
    assert label_robustness(sides, 1.0).alpha == label_robustness(sides).ior
    assert label_robustness(sides, 0.0).alpha == tuple(-value for value in label_robustness(sides).hlr)
    assert augmentation_robustness(sides, 1.0).beta == augmentation_robustness(sides).gain_with


def test_spread_is_the_population_standard_deviation():
    assert spread([0.2, 0.4, 0.9]) == pytest.approx((0.5, math.sqrt((0.09 + 0.01 + 0.16) / 3)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"real": (84.8, 84.8)},
        {"syn": (0.5,)},
        {"random": (0.5, -0.1)},
        {"syn_hard": (0.5, float("nan"))},
        {"weight": 1.5},
        {"real": (), "syn_hard": (), "syn": (), "random": ()},
    ],
)
def test_percentages_and_unequal_runs_are_refused(wrong):
    last_good = label_robustness([(0.5, 0.6)] * 4)
    with pytest.raises(ValueError, match=r"fractions|one accuracy a run|weight"):
        replace(last_good, **wrong)


# A fingerprint that changes here means scores that can not be compared with those before: add a version instead.
FROZEN = {
    "ddranking-hard-v1": "20300154eab3854d",
    "ddranking-hard-plain-v1": "8856b887d4c8d44d",
    "ddranking-soft-v1": "eaab8feedc2f92c6",
    "ddranking-soft-plain-v1": "ab31a7428265cf92",
    "ddranking-soft-m-v1": "e82a2e22615b4565",
    "ddranking-soft-m-plain-v1": "4ee753593f2bf2b3",
}


def test_recipes_are_frozen():
    assert {name: found.fingerprint for name, found in RECIPES.items()} == FROZEN


@pytest.mark.parametrize("name", RECIPES)
def test_numbers_as_released(name):
    found = RECIPES[name]
    assert (found.optimizer, found.momentum, found.weight_decay, found.batch) == ("sgd", 0.9, 5e-4, 256)
    assert (found.setting.epochs, found.inclusive, found.learned_lr, found.drop_factor) == (300, False, False, 0.1)
    soft = "soft" in name
    assert (found.loss, found.temperature) == (("kl", 1.2) if soft else ("ce", 1.0))
    assert found.targets == ("teacher" if "-m-" in name else "set")


def test_recipes_of_tracks():
    assert [recipe_of("hard", "S"), recipe_of("soft", "S"), recipe_of("soft", "M")] == [HARD, SOFT, SOFT_M]
    assert hard_recipe_of("hard") == HARD and hard_recipe_of("soft") == without_augmentation(HARD)
    assert [found.setting.augmentation for found in (HARD, SOFT, SOFT_M)] == ["dsa", "dsa", "none"]
    assert [found.mixing for found in (HARD, SOFT, SOFT_M)] == ["none", "none", "cutmix"]
    for found in (HARD, SOFT, SOFT_M):
        assert (without_augmentation(found).setting.augmentation, without_augmentation(found).mixing) == (
            "none",
            "none",
        )


def test_other_epochs_are_another_fingerprint():
    assert HARD.with_epochs(None) == HARD
    assert HARD.with_epochs(7).setting.epochs == 7 and HARD.with_epochs(7).fingerprint != HARD.fingerprint


def test_printed_numbers_make_scores_in_a_narrow_range():
    """With w = 0.5 and fractions, all of CIFAR-10 lies between 13.8 and 28.7 %, as alpha does around nought."""
    scores = {}
    for key, found in printed_numbers().items():
        alpha = 0.5 * found.ior - 0.5 * found.hlr
        scores[key] = 100 * exponential_score(alpha)
    assert len(scores) == 20
    assert (min(scores.values()), max(scores.values())) == pytest.approx((13.80, 28.68), abs=0.005)
    assert min(scores, key=scores.__getitem__) == ("sre2l", "cifar10", 10, "soft")
    assert max(scores, key=scores.__getitem__) == ("datm", "cifar10", 10, "soft")
    assert scores["mtt", "cifar10", 10, "hard"] == pytest.approx(28.45, abs=0.005)
    assert fmean(scores.values()) < 100 * exponential_score(0.0)


def test_printed_numbers_are_found_by_their_setting():
    found = look_up("mtt", "cifar10-jpeg", 10, "hard")
    assert found is not None and (found.hlr, found.ior) == pytest.approx((0.2373, 0.3090))
    assert "leaderboard" in found.source
    assert look_up("mtt", "cifar10", 10, "soft") is None and look_up("mtt", "digits", 10, "hard") is None
