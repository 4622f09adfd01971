"""Agreement of rankings: hand-computed cases, brute force, scipy, and intervals whose answer is known."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ddbench.evaluate.nas.rank_correlation import KS, agreement, best, kendall, measures, regret, spearman

scores = st.lists(st.integers(0, 6), min_size=2, max_size=12)
pairs = scores.flatmap(lambda first: st.tuples(st.just(first), st.permutations(first) | st.just(first[::-1])))


def brute_kendall(a, b):
    """Tau-b from its definition: concordant minus discordant pairs, over the pairs not tied in each."""
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in itertools.combinations(range(len(a)), 2)]
    untied = [sum(x != 0 for x, _ in signs), sum(y != 0 for _, y in signs)]
    return sum(x * y for x, y in signs) / math.sqrt(untied[0] * untied[1])


def brute_spearman(a, b):
    """Pearson's correlation of ranks; a rank is one more than the lower ones and half the equal others."""
    ranks = [[1 + sum(y < x for y in s) + (sum(y == x for y in s) - 1) / 2 for x in s] for s in (a, b)]
    x, y = (np.array(r) - np.mean(r) for r in ranks)
    return float((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum()))


@given(pairs)
def test_correlations_equal_their_definitions_and_scipy(pair):
    a, b = (np.array(values, dtype=float) for values in pair)
    if len(set(pair[0])) == 1:
        assert math.isnan(spearman(a, b)) and math.isnan(kendall(a, b))
        return
    assert spearman(a, b) == pytest.approx(brute_spearman(a, b), abs=1e-12)
    assert kendall(a, b) == pytest.approx(brute_kendall(a, b), abs=1e-12)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_hand_computed():
    a, b = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 3, 2, 4, 5])
    assert spearman(a, b) == pytest.approx(1 - 6 * 2 / (5 * 24)) and kendall(a, b) == pytest.approx(0.8)
    assert spearman(a, -a) == pytest.approx(-1) and kendall(a, -a) == pytest.approx(-1)
    assert kendall(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])) == pytest.approx(2 / math.sqrt(6))


def test_constant_scores_and_single_networks_have_no_correlation_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agreement(np.full((4, 2), 0.5), np.array([[0.1], [0.2], [0.3], [0.4]]))
        alone = measures(np.array([0.5]), np.array([0.6]))
    assert found["spearman"].value is None and found["kendall"].low is None
    assert found["regret"].value == pytest.approx(-0.3)
    assert math.isnan(alone["spearman"]) and alone["regret"] == 0


def test_regret_is_what_the_proxys_first_lacks():
    truth = np.array([0.7, 0.9, 0.8])
    assert regret(np.array([0.3, 0.1, 0.5]), truth) == pytest.approx(-0.1)
    assert regret(np.array([0.1, 0.9, 0.5]), truth) == 0
    assert regret(np.array([0.5, 0.1, 0.5]), truth) == pytest.approx(-0.2)  # of equals the first


def test_the_best_come_first_and_of_equals_the_earlier():
    assert best(np.array([0.2, 0.9, 0.5, 0.9]), 3).tolist() == [1, 3, 2]


@given(st.integers(2, 40), st.integers(0, 99))
def test_the_best_by_truth_and_by_proxy_are_those_subsets(n, seed):
    generator = np.random.default_rng(seed)
    proxy, truth = generator.permutation(n).astype(float), generator.permutation(n).astype(float)
    found = measures(proxy, truth)
    for k in KS:
        assert (f"spearman.truth.{k}" in found) == (k < n)
        if k < n:
            by_truth, by_proxy = np.argsort(-truth)[:k], np.argsort(-proxy)[:k]
            assert found[f"spearman.truth.{k}"] == pytest.approx(brute_spearman(proxy[by_truth], truth[by_truth]))
            assert found[f"kendall.proxy.{k}"] == pytest.approx(brute_kendall(proxy[by_proxy], truth[by_proxy]))


def test_seeds_that_agree_leave_no_doubt():
    proxy = np.repeat(np.array([[0.1], [0.5], [0.3], [0.9]]), 3, axis=1)
    truth = np.repeat(np.array([[0.2], [0.4], [0.5], [0.8]]), 4, axis=1)
    found = agreement(proxy, truth)["spearman"]
    assert found.value == found.low == found.high == pytest.approx(0.8)


def test_the_interval_is_that_of_all_equally_likely_draws():
    """Two seeds, of which one reverses the order: three of four draws agree, since the other seed is the louder."""
    proxy = np.array([[0.0, 0.2], [0.5, 0.1], [1.0, 0.0]])
    truth = np.array([[0.0], [0.5], [1.0]])
    picks = itertools.product(range(2), repeat=2)
    drawn = [spearman(proxy[:, list(pick)].mean(1), truth[:, 0]) for pick in picks]
    assert sorted(drawn) == pytest.approx([-1, 1, 1, 1])
    found = agreement(proxy, truth, resamples=400)["spearman"]
    assert (found.value, found.low, found.high) == pytest.approx((1, -1, 1))
    always = agreement(np.hstack([proxy[:, :1]] * 99 + [proxy[:, 1:]]), truth)["spearman"]
    assert (always.low, always.high) == pytest.approx((1, 1))


def test_intervals_are_seeded_and_single_seeds_have_none():
    generator = np.random.default_rng(0)
    proxy, truth = generator.random((9, 3)), generator.random((9, 3))
    assert agreement(proxy, truth, seed=1) == agreement(proxy, truth, seed=1)
    assert agreement(proxy[:, :1], truth[:, :1])["spearman"].low is None


def test_equal_means_are_ties_whatever_the_order_of_seeds():
    proxy = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.2, 0.3, 0.1]])
    assert agreement(proxy, np.array([[0.1], [0.2], [0.3]]))["spearman"].value is None
