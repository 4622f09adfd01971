"""Frequent sets of trees: against every set tried, against mlxtend, and against the released miner."""

import time

import numpy as np
import pytest
import torch
from helpers.mirage_makers import bits_of, brute_force, mining_of_sets, numbers, pairs_graphs, transactions_of
from helpers.tree_makers import labeled_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.graphs.refine import refine
from ddbench.methods.mirage.eclat import TooManySets, by_frequency, frequent_sets
from ddbench.methods.mirage.transactions import transactions

MOST = 100_000
SOME = settings(deadline=None, max_examples=60)


def mined(given, theta, *, most=MOST, compat=False):
    return frequent_sets(bits_of(given), theta, most, compat=compat)


@given(transactions_of(), st.integers(1, 9))
@SOME
def test_every_frequent_set_is_found_with_its_support(given, theta):
    assert mined(given, theta) == brute_force(given, theta)


@given(transactions_of(most=12, trees=8), st.integers(1, 6))
@settings(deadline=None, max_examples=25)
def test_the_same_as_mlxtend(given, theta):
    pandas, patterns = pytest.importorskip("pandas"), pytest.importorskip("mlxtend.frequent_patterns")
    items = sorted(set().union(*given))
    table = pandas.DataFrame([[item in each for item in items] for each in given], columns=map(str, items), dtype=bool)
    found = {}
    if items and theta <= len(given):
        answer = patterns.fpgrowth(table, min_support=(theta - 0.5) / len(given), use_colnames=True)
        pairs = zip(answer["itemsets"], answer["support"], strict=True)
        found = {tuple(sorted(map(int, trees))): round(share * len(given)) for trees, share in pairs}
    assert mined(given, theta) == found


class TestCompat:
    @given(transactions_of(most=14, trees=7), st.integers(1, 6))
    @settings(deadline=None, max_examples=300)
    def test_the_same_as_the_released_miner(self, given, theta):
        pyfpgrowth = pytest.importorskip("pyfpgrowth")
        assert mined(given, theta, compat=True) == pyfpgrowth.find_frequent_patterns(given, theta)

    def test_a_suffix_whose_conditional_tree_branches_is_left_out(self):
        # below 2, the rarest, lie 0 in one transaction and 1 in the other: two branches
        given = [[0, 2], [1, 2], [0], [0], [1], [1]]
        exact = {(0,): 3, (1,): 3, (2,): 2, (0, 2): 1, (1, 2): 1}
        assert mined(given, 1) == exact
        assert mined(given, 1, compat=True) == {trees: count for trees, count in exact.items() if trees != (2,)}
        assert mined(given, 2, compat=True) == mined(given, 2)  # neither branch is frequent

    def test_nothing_is_left_out_of_a_single_path(self):
        given = [[0, 1, 2], [0, 1], [0], [0]]
        assert mined(given, 1, compat=True) == mined(given, 1)

    @given(transactions_of(most=14, trees=7), st.integers(1, 6))
    @SOME
    def test_what_is_given_out_is_right(self, given, theta):
        exact = mined(given, theta)
        assert mined(given, theta, compat=True).items() <= exact.items()


class TestGuard:
    @pytest.mark.parametrize("compat", [False, True])
    def test_the_limit_is_the_number_of_sets(self, compat):
        given = [list(range(10))] * 3 + [[3], [4, 5]]
        assert len(mined(given, 3, most=1023)) == 1023
        with pytest.raises(TooManySets):
            mined(given, 3, most=1022, compat=compat)

    def test_one_wide_transaction_is_seen_at_once(self):
        began = time.monotonic()
        with pytest.raises(TooManySets):
            mined([list(range(3000))] * 2, 1, most=2_000_000)
        assert time.monotonic() - began < 10

    def test_many_trees_that_share_no_graph_are_too_much_as_well(self):
        rows = {tree: 1 << tree for tree in range(2000)}
        with pytest.raises(TooManySets):
            frequent_sets(rows, 1, 2000)
        assert len(frequent_sets(rows, 1, MOST)) == 2000


@given(transactions_of(), st.randoms())
@SOME
def test_the_order_is_support_then_size_then_ids(given, random):
    sets = list(mined(given, 1).items())
    random.shuffle(sets)
    ordered = by_frequency(dict(sets))
    assert ordered == [trees for _, _, trees in sorted((-count, len(trees), trees) for trees, count in sets)]


class TestTransactions:
    @given(labeled_graphs(most=6), st.integers(1, 2), st.integers(1, 4))
    @SOME
    def test_plain_loops_say_the_same(self, graphs, hops, theta):
        refinement = refine(graphs, hops)
        ids, trees = refinement.ids[-1], refinement.counts[-1]
        degree = graphs.degree.tolist()
        for label, held in enumerate(transactions(graphs, ids, trees, 2)):
            mine = [g for g in range(len(graphs)) if graphs.y[g] == label]
            nodes = [range(len(ids))[graphs.nodes_of(g)] for g in mine]
            sets = [{int(ids[node]) for node in of_graph if degree[node]} for of_graph in nodes]
            counts = {tree: sum(tree in each for each in sets) for tree in range(trees)}
            assert held.size == len(mine) and held.support.tolist() == list(counts.values())
            assert {tree: bits.bit_count() for tree, bits in held.frequent(theta).items()} == {
                tree: count for tree, count in counts.items() if count >= theta
            }
            assert held.bits(0) == sum(1 << context for context, each in enumerate(sets) if 0 in each)
            some = [tree for tree in (0, trees - 1) if counts[tree]]
            if some:
                assert held.support_of(some) == sum(each.issuperset(some) for each in sets)
            assert held.covered(some) == sum(not each.isdisjoint(some) for each in sets)

    def test_a_class_without_graphs_has_nothing(self):
        graphs = pairs_graphs([[[0, 1]], [[1]]])
        refinement = refine(graphs, 1)
        *_, third = transactions(graphs, refinement.ids[-1], refinement.counts[-1], 3)
        assert third.size == 0 and not third.support.any() and third.frequent(1) == {}

    def test_a_tree_counts_once_in_a_graph(self):
        graphs = pairs_graphs([[[0, 0, 0, 1], [0]]])
        refinement = refine(graphs, 2)
        (held,) = transactions(graphs, refinement.ids[-1], refinement.counts[-1], 1)
        assert held.support.tolist() == [2, 1]


class TestLevels:
    @given(transactions_of(most=10))
    @SOME
    def test_all_sets_come_in_order_and_supports_are_whole_levels(self, given):
        mining = mining_of_sets([given])
        seen = [(support, trees) for support, sets in mining.levels(0) for trees in sets]
        everything = mining.of_class(0, 1)
        assert [trees for _, trees in seen] == by_frequency(everything)
        assert all(everything[trees] == support for support, trees in seen)
        assert {numbers(mining, trees) for _, trees in seen} == brute_force(given, 1).keys()

    def test_an_explosion_is_approached_as_far_as_it_goes(self):
        # 5 + 4 + 3 graphs have 0, 1 and 2; two graphs have 12 trees in common, which make 4095 sets
        given = [[0]] * 5 + [[1]] * 4 + [[2]] * 3 + [list(range(10, 22))] * 2
        mining = mining_of_sets([given], most=1000)
        levels = mining.levels(0)
        assert [next(levels)[0] for _ in range(3)] == [5, 4, 3]
        with pytest.raises(StopIteration) as stop:
            next(levels)
        assert stop.value.value == "below 3 graphs mining passes most_patterns, 1,000"

    def test_the_end_is_told(self):
        levels = mining_of_sets([[[0], [0, 1]]]).levels(0)
        assert [support for support, _ in (next(levels), next(levels))] == [2, 1]
        with pytest.raises(StopIteration) as stop:
            next(levels)
        assert stop.value.value == "there are no more"


def test_bytes_of_a_set_are_those_of_its_trees_written_out():
    mining = mining_of_sets([[[0, 1], [1]]])
    assert mining.tree_bytes.tolist() == [2 * (2 + 2 * 1)] * 2  # two nodes of one code, one edge with two ends
    assert mining.charged((0, 1)) == 16
    assert mining.tree_bytes.dtype == np.int64 and torch.is_tensor(pairs_graphs([[[0]]]).y)
