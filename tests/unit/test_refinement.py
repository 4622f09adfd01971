"""Ids of computation trees against the trees written out, one nested tuple a node."""

import numpy as np
import pytest
import torch
from helpers.tree_makers import graphs_of, in_bijection, labeled_graphs, published, size_of, written_out
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.refine import LARGEST, refine

often = settings(max_examples=150, deadline=None)


@often
@given(labeled_graphs(), st.integers(0, 3), st.booleans())
def test_equal_ids_exactly_for_isomorphic_trees(graphs, hops, with_degrees):
    refinement = refine(graphs, hops, with_degrees=with_degrees)
    assert refinement.hops == hops and len(refinement.ids) == len(refinement.counts) == hops + 1
    for level, (ids, count) in enumerate(zip(refinement.ids, refinement.counts, strict=True)):
        trees = written_out(graphs, level, degrees=with_degrees)
        assert in_bijection(ids.tolist(), trees) and count == len(set(trees))
        assert list(dict.fromkeys(ids.tolist())) == list(range(count)), "in the order of first occurrence"


@often
@given(labeled_graphs(directed=True), st.integers(0, 3))
def test_an_edge_in_one_direction_is_seen_from_its_target(graphs, hops):
    assert in_bijection(refine(graphs, hops).ids[-1].tolist(), written_out(graphs, hops))


@often
@given(labeled_graphs(columns=1, edge_columns=1), labeled_graphs(columns=1, edge_columns=1), st.booleans())
def test_other_graphs_are_looked_up_and_what_was_never_seen_is_known_as_such(seen, other, with_degrees):
    refinement = refine(seen, 2, with_degrees=with_degrees)
    for level, ids in enumerate(refinement.look_up(other)):
        known = dict(zip(written_out(seen, level, degrees=with_degrees), refinement.ids[level].tolist(), strict=True))
        assert ids.tolist() == [known.get(tree, -1) for tree in written_out(other, level, degrees=with_degrees)]
    for found, wanted in zip(refinement.look_up(seen), refinement.ids, strict=True):
        assert (found == wanted).all()


@often
@given(labeled_graphs(), st.data())
def test_numbers_of_nodes_and_order_of_edges_do_not_matter(graphs, data):
    moved = torch.cat(
        [
            torch.tensor(data.draw(st.permutations(range(first, last))))
            for first, last in zip(graphs.node_ptr.tolist()[:-1], graphs.node_ptr.tolist()[1:], strict=True)
        ]
    )
    shuffled = torch.tensor(data.draw(st.permutations(range(graphs.edge_index.shape[1]))), dtype=torch.int64)
    shuffled = shuffled[graphs.graph_of_node[graphs.edge_index[0, shuffled]].argsort(stable=True)]
    features = torch.empty_like(graphs.node_features)
    features[moved] = graphs.node_features
    same = Graphs(
        node_features=features,
        node_ptr=graphs.node_ptr,
        edge_index=moved[graphs.edge_index[:, shuffled]],
        edge_features=graphs.edge_features[shuffled],
        y=graphs.y,
    )
    refinement = refine(graphs, 2)
    for found, wanted in zip(refinement.look_up(same), refinement.ids, strict=True):
        assert (found[moved] == wanted).all()


@often
@given(labeled_graphs(), st.integers(0, 3), st.booleans())
def test_keys_spell_the_trees_and_sizes_are_theirs(graphs, hops, with_degrees):
    refinement = refine(graphs, hops, with_degrees=with_degrees)

    def spelt(level, id):
        codes, degree, branches = refinement.tree(level, id)
        assert (degree is not None) == with_degrees
        below = sorted((code, spelt(level - 1, child)) for code, child in branches)
        return codes, degree if with_degrees else -1, tuple(below)

    trees = dict(zip(refinement.ids[-1].tolist(), written_out(graphs, hops, degrees=with_degrees), strict=True))
    nodes, edges = refinement.unfolded_sizes(hops)
    for id, tree in trees.items():
        assert spelt(hops, id) == tree
        assert nodes[id] == size_of(tree) and edges[id] == size_of(tree) - 1


def test_labels_of_two_digits_are_not_taken_for_one_another():
    """The released code writes both of these trees as 12113020."""
    pairs = [([(19,), (1,)], [(0, 1, ()), (1, 0, ())]), ([(0,), (11,)], [(0, 1, ()), (1, 0, ())])]
    assert len(set(refine(graphs_of(pairs), 1).ids[-1].tolist())) == 4


def test_sizes_that_no_tree_could_have_are_cut_off_and_do_not_overflow():
    full = graphs_of([([(0,)] * 8, [(a, b, ()) for a in range(8) for b in range(8) if a != b])])
    refinement = refine(full, 64)
    assert refinement.counts == (1,) * 65
    assert refinement.unfolded_sizes(3)[0] == 1 + 7 + 49 + 343
    assert refinement.unfolded_sizes(64)[0] == LARGEST


def test_no_graphs_and_no_edges():
    assert refine(graphs_of([]), 2).counts == (0, 0, 0)
    alone = refine(graphs_of([([(1,), (0,), (1,)], [])]), 2)
    assert alone.counts == (2, 2, 2) and alone.ids[-1].tolist() == [0, 1, 0]
    join_ranks = graphs_of([([(1,), (0,)], [(0, 1, ())])])
    assert [ids.tolist() for ids in alone.look_up(join_ranks)] == [[0, 1], [0, -1], [0, -1]]


def test_what_is_refused():
    graphs = graphs_of([([(1,)], [])])
    for hops in (-1, 65):
        with pytest.raises(UserError, match=f"{hops} hops"):
            refine(graphs, hops)
    with pytest.raises(ValueError, match="columns"):
        refine(graphs, 1).look_up(graphs_of([([(1, 2)], [])], columns=2))


class TestPublishedSets:
    """The counts that the reference code gives, or the paper's sets in its split."""

    def test_nci1(self):
        train = published("NCI1").train
        refinement = refine(train, 3)
        two, join_ranks = refinement.ids[2], train.degree.numpy() > 0
        assert len(two) == 98_290 and join_ranks.sum() == 97_943
        assert refinement.counts[2] == 3_689 and len(np.unique(two[join_ranks])) == 3_666
        assert refinement.counts[3] == 20_001
        assert refinement.unfolded_sizes(2)[0][two][join_ranks].sum() == 829_361

    def test_imdb_binary(self):
        refinement = refine(published("IMDB-BINARY").train, 2)
        assert len(refinement.ids[2]) == 15_966 and refinement.counts[2] == 3_008
        assert refinement.unfolded_sizes(2)[0][refinement.ids[2]].sum() == 2_695_472

    def test_known_trees_among_test_graphs(self):
        real = published("MUTAG")
        refinement = refine(real.train, 2)
        known = dict(zip(written_out(real.train, 2), refinement.ids[2].tolist(), strict=True))
        found = refinement.look_up(real.test)[2]
        assert found.tolist() == [known.get(tree, -1) for tree in written_out(real.test, 2)]
        assert (found >= 0).any() and (found == -1).any()
