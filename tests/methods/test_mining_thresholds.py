"""Thresholds that are found or given, what is shared, and what a budget takes."""

from ast import literal_eval

import pytest
from helpers.mirage_makers import brute_force, mining_of_sets, transactions_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.methods.mirage.shared_sets import each_once, unshared
from ddbench.methods.mirage.threshold_search import lowered
from ddbench.methods.mirage.thresholds import (
    AbsoluteThreshold,
    BytesThreshold,
    ItemsThreshold,
    RelativeThreshold,
)

SOME = settings(deadline=None, max_examples=60)
CLASSES = st.lists(transactions_of(most=7, trees=5), min_size=1, max_size=3)


def plain_descent(by_class, shared, target):
    """The definition, everything counted anew at every step."""
    sizes = [len(each) for each in by_class]
    everything = [brute_force(each, 1) for each in by_class]
    thetas, ended = [size + 1 for size in sizes], set()

    def there(label):
        frequent = [{s for s, count in sets.items() if count >= t} for sets, t in zip(everything, thetas, strict=True)]
        others = [sets for context, sets in enumerate(frequent) if context != label]
        return sum(shared == "soft" or not any(s in other for other in others) for s in frequent[label])

    while lacking := [label for label in range(len(sizes)) if there(label) < target and label not in ended]:
        label = max(lacking, key=lambda label: thetas[label] / sizes[label])
        below = [count for count in everything[label].values() if count < thetas[label]]
        if below:
            thetas[label] = max(below)
        else:
            ended.add(label)
    return thetas


class TestDescent:
    @given(CLASSES, st.sampled_from(["drop", "soft"]), st.integers(1, 6))
    @SOME
    def test_is_what_its_definition_says(self, by_class, shared, target):
        found = lowered(mining_of_sets(by_class), shared, lambda trees: 1, target)
        assert found.thetas == plain_descent(by_class, shared, target)

    @given(CLASSES, st.integers(1, 6))
    @SOME
    def test_every_class_has_enough_or_says_why_not(self, by_class, target):
        mining = mining_of_sets(by_class)
        found = lowered(mining, "drop", lambda trees: 1, target)
        counts = unshared(mining.at(found.thetas))
        assert {label for label, sets in enumerate(counts) if len(sets) < target} == set(found.ended)
        assert set(found.ended.values()) <= {"there are no more"}

    def test_soft_thresholds_are_the_supports_of_the_last_set_wanted(self):
        by_class = [[[0], [0, 1], [0, 1, 2]], [[0], [0], [0], [1]]]
        found = lowered(mining_of_sets(by_class), "soft", lambda trees: 1, 2)
        assert found.thetas == [2, 1]

    def test_an_explosion_stops_it_and_is_told(self):
        by_class = [[[0]] * 3 + [list(range(12))] * 2, [[20], [21], [20]]]
        found = lowered(mining_of_sets(by_class, most=500), "drop", lambda trees: 1, 2)
        assert found.thetas == [5, 1] and found.ended == {0: "below 3 graphs mining passes most_patterns, 500"}


class TestSharing:
    @given(CLASSES, st.integers(1, 3))
    @SOME
    def test_unshared_sets_are_frequent_in_one_class(self, by_class, theta):
        mined = [brute_force(each, theta) for each in by_class]
        everything = [trees for sets in mined for trees in sets]
        for sets, counts in zip(mined, unshared(mined), strict=True):
            assert set(counts) == {trees for trees in sets if everything.count(trees) == 1}
            assert [sets[trees] for trees in counts] == sorted((sets[trees] for trees in counts), reverse=True)

    @given(CLASSES, st.integers(1, 3))
    @SOME
    def test_each_once_leaves_every_set_where_its_share_is_largest(self, by_class, theta):
        mined = [brute_force(each, theta) for each in by_class]
        sizes = [len(each) for each in by_class]
        counts = each_once([list(sets) for sets in mined], mined, sizes)
        assert sorted(trees for sets in counts for trees in sets) == sorted(set().union(*mined))
        for label, sets in enumerate(counts):
            for trees in sets:
                shares = [found.get(trees, 0) / size for found, size in zip(mined, sizes, strict=True)]
                assert shares.index(max(shares)) == label


class TestBytes:
    @given(CLASSES, st.integers(8, 200))
    @SOME
    def test_takes_a_prefix_of_each_class_that_fits_and_leaves_no_class_that_could_go_on(self, by_class, budget):
        mining = mining_of_sets(by_class)
        lists = unshared(mining.at([1] * len(by_class)))
        first = sum(mining.charged(sets[0]) for sets in lists if sets)
        threshold = BytesThreshold(budget=budget)
        if first > budget:
            with pytest.raises(UserError, match=f"set threshold.budget to {first} or more"):
                threshold.cut(lists, mining, 1)
            return
        taken = threshold.cut(lists, mining, 1)
        spent = [sum(map(mining.charged, sets)) for sets in taken]
        assert sum(spent) <= budget
        for sets, every in zip(taken, lists, strict=True):
            assert sets == every[: len(sets)] and len(sets) >= min(len(every), 1)
            if len(sets) < len(every):
                assert sum(spent) + mining.charged(every[len(sets)]) > budget

    def test_classes_share_fairly(self):
        by_class = [[[0, 1, 2, 3]] * 4, [[5, 6, 7, 8]] * 4]
        mining = mining_of_sets(by_class)
        taken = BytesThreshold(budget=64).cut(unshared(mining.at([4, 4])), mining, 1)
        assert [sum(map(mining.charged, sets)) for sets in taken] == [32, 32]

    def test_a_shared_set_is_paid_for_once(self):
        mining = mining_of_sets([[[0]], [[0], [0, 1]]])
        lists = [[(0,)], [(0,), (1,)]]
        assert BytesThreshold(budget=16).cut(lists, mining, 1) == lists

    @given(CLASSES, st.integers(8, 120))
    @SOME
    def test_thresholds_fall_until_each_class_could_spend_its_share(self, by_class, budget):
        mining = mining_of_sets(by_class)
        found = BytesThreshold(budget=budget).thetas(mining, "drop", 1)
        counts = unshared(mining.at(found.thetas))
        short = {label for label, sets in enumerate(counts) if sum(map(mining.charged, sets)) * len(counts) < budget}
        assert short == set(found.ended)


class TestGiven:
    @pytest.fixture
    def mining(self):
        return mining_of_sets([[[0]] * 30, [[1]] * 7])

    def test_items_cut_at_ipc(self, mining):
        assert ItemsThreshold().cut([[(0,), (1,), (2,)], [(3,)]], mining, 2) == [[(0,), (1,)], [(3,)]]

    def test_absolute(self, mining):
        assert AbsoluteThreshold(theta=(20, 7)).thetas(mining, "drop", 1).thetas == [20, 7]
        assert AbsoluteThreshold(theta=5).thetas(mining, "drop", 1).thetas == [5, 5]

    def test_relative_rounds_up_and_is_not_fooled_by_binary_fractions(self, mining):
        assert RelativeThreshold(theta=0.1).thetas(mining, "drop", 1).thetas == [3, 1]
        assert RelativeThreshold(theta=(1, 0.3)).thetas(mining, "drop", 1).thetas == [30, 3]

    @given(st.integers(1, 5000), st.data())
    @SOME
    def test_shares_that_are_suggested_mean_the_counts(self, size, data):
        mining = mining_of_sets([[[0]] * size])
        theta = data.draw(st.integers(1, size))
        (share,) = literal_eval(RelativeThreshold(theta=1).written(mining, [theta]))
        assert RelativeThreshold(theta=share).thetas(mining, "drop", 1).thetas == [theta]

    @pytest.mark.parametrize(
        ("theta", "says"),
        [
            ((1, 2, 3), "threshold.theta has 3 numbers, and there are 2 classes"),
            ((30, 8), "theta 8 is above the size of class 'class 1'\n  it has 7 training graphs"),
            (31, "theta 31 is above the size of class 'class 0'"),
        ],
    )
    def test_what_does_not_fit_the_classes_is_refused(self, mining, theta, says):
        with pytest.raises(UserError, match=says):
            AbsoluteThreshold(theta=theta).thetas(mining, "drop", 1)
        if isinstance(theta, tuple) and len(theta) == 3:
            with pytest.raises(UserError, match=says):
                RelativeThreshold(theta=(0.1, 0.2, 0.3)).thetas(mining, "drop", 1)
