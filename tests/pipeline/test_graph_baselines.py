"""Random, herded and all real graphs: as many as are asked for, within the bytes allowed, with their labels."""

import numpy as np
import pytest
import torch
from helpers.distillation_makers import at
from helpers.gnn_makers import random_graphs
from helpers.graph_score_makers import sized_set
from helpers.mirage_makers import real_set, task_of
from helpers.tree_makers import published
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from ddbench.errors import UserError
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.method import GraphTask
from ddbench.methods import METHODS
from ddbench.methods.coresets.herding import herd
from ddbench.methods.graph_coresets.herding_graphs import Herd, histograms
from ddbench.methods.graph_coresets.random_graphs import Shuffled
from ddbench.methods.graph_coresets.subset import graph_bytes, within_bytes
from ddbench.methods.mirage import Mirage

SUBSETS = ("random-graphs", "herding-graphs")
GIVEN = {"hops": 1, "threshold": {"kind": "absolute", "theta": [2, 2]}}
TWO = [[[0, 1]] * 3 + [[0]] * 4, [[2]] * 4 + [[3]] * 5]
"""Class 0 keeps 0, 1 and both: 32 bytes. Class 1 keeps 2 and 3: 16 bytes. A graph takes 12 bytes for each number."""


def made(name, task, ipc=3, seed=0, **given):
    return METHODS.get(name).model_validate(given).distill(task, ipc, at(0, seed))


def rows_of(syn, real):
    """The training graphs that a set consists of; every graph of ``real`` must be different."""
    train = [[tensor.tolist() for tensor in (data.x, data.edge_index)] for data in real.train.to_pyg()]
    return [train.index([tensor.tolist() for tensor in (data.x, data.edge_index)]) for data in syn.to_pyg()]


@pytest.fixture(scope="module")
def real():
    return sized_set(classes=3, train=45)


@pytest.fixture(scope="module")
def task(real):
    return GraphTask(real=real, method="baseline")


@pytest.mark.parametrize("name", SUBSETS)
class TestBoth:
    def test_ipc_graphs_of_each_class(self, name, task, real):
        syn = made(name, task, ipc=4)
        rows = rows_of(syn, real)
        assert len(set(rows)) == 12 and syn.labels.tolist() == [label for label in range(3) for _ in range(4)]
        assert real.train.y[rows].tolist() == syn.labels.tolist()
        assert (syn.label_kind, syn.ipc, syn.method) == ("hard", 4, "baseline") and syn.frequency.tolist() == [1] * 12
        assert isinstance(syn.payload, Graphs) and syn.provenance["charged"] == {"graphs": syn.charged_bytes}

    def test_seeds(self, name, task, real):
        one, two, other = (rows_of(made(name, task, seed=seed), real) for seed in (0, 0, 1))
        assert one == two and (one == other) == (name == "herding-graphs")

    def test_global_randomness_is_left_alone(self, name, task):
        before = torch.get_rng_state()
        made(name, task, equal="bytes")
        assert torch.equal(before, torch.get_rng_state())

    def test_as_many_as_mirage_keeps(self, name):
        syn = made(name, task_of(TWO), ipc=5, equal="items", to=GIVEN)
        assert syn.labels.tolist() == [0, 0, 0, 1, 1]
        assert "as many graphs of each class as mirage keeps items: 3 + 2" in syn.provenance["notes"]

    def test_no_more_bytes_than_mirage(self, name):
        syn = made(name, task_of(TWO), ipc=5, equal="bytes", to=GIVEN)
        assert Mirage.model_validate(GIVEN).select(real_set(TWO), 5).charged == 48
        assert 36 < syn.charged_bytes <= 48 and set(syn.labels.tolist()) == {0, 1}
        assert "within mirage's 48" in syn.provenance["notes"][-1]

    def test_the_smallest_where_not_even_one_of_each_class_fits(self, name):
        by_class = [[[0, 1, 4]] * 3 + [[0, 1, 4, 5, 6, 7]], [[2, 3, 8, 9], [2, 3, 8]]]
        syn = made(name, task_of(by_class), ipc=5, equal="bytes", to={"hops": 1, "threshold": "items"}, seed=1)
        budget = Mirage(hops=1).select(real_set(by_class), 5).charged
        assert budget > 72 and syn.charged_bytes <= budget
        syn = made(name, task_of(by_class), ipc=1, equal="bytes", to={"hops": 1})
        assert syn.charged_bytes == 72 and len(syn) == 2
        assert (
            syn.provenance["notes"][-1] == "the smallest graphs of each class take 72 bytes, 56 more than mirage's 16"
        )

    def test_too_few_graphs(self, name):
        with pytest.raises(UserError, match="ipc 8 is larger than a class"):
            made(name, task_of(TWO), ipc=8)
        with pytest.raises(UserError, match="mirage keeps 3 items of class 'class 0', which has 1 training graphs"):
            made(name, task_of([[[0, 1]], [[2]]]), equal="items", to={"hops": 1})

    def test_settings_survive_json_and_hold_mirages(self, name):
        method = METHODS.get(name).model_validate(
            {"equal": "items", "to": {"threshold": {"kind": "bytes", "budget": 9}}}
        )
        assert type(method).model_validate_json(method.model_dump_json()) == method
        assert METHODS.get(name)().to == Mirage() and method.to.hops == 2


class TestRandom:
    def test_all_graphs_are_drawn_in_time(self, task, real):
        seen = {row for seed in range(60) for row in rows_of(made("random-graphs", task, ipc=3, seed=seed), real)}
        assert seen == set(range(45))

    def test_more_of_the_same_seed_is_the_same_and_more(self, task, real):
        few, many = (rows_of(made("random-graphs", task, ipc=ipc), real) for ipc in (2, 5))
        assert [row for context, row in enumerate(many) if context % 5 < 2] == few

    @given(st.integers(0, 999), st.integers(1, 3), st.integers(10, 400))
    @settings(deadline=None, max_examples=60)
    def test_bytes_are_used_until_nothing_fits(self, seed, classes, budget):
        drawn = np.random.default_rng(seed)
        sizes = [drawn.integers(5, 90, drawn.integers(1, 7)) for _ in range(classes)]
        generator = torch.Generator().manual_seed(seed)
        places, (note,) = within_bytes(sizes, budget, [Shuffled(len(each), generator) for each in sizes])
        spent = sum(int(each[taken].sum()) for each, taken in zip(sizes, places, strict=True))
        least = sum(int(each.min()) for each in sizes)
        assert all(taken and len(set(taken)) == len(taken) for taken in places)
        if least > budget:
            assert spent == least and f"{least - budget} more than" in note
            return
        left = [np.delete(each, taken) for each, taken in zip(sizes, places, strict=True)]
        assert spent <= budget and all((each > budget - spent).all() for each in left)
        assert f"graphs of {spent} bytes, within mirage's {budget}" in note


class TestHerding:
    @given(st.integers(0, 9999), st.integers(3, 9))
    @settings(deadline=None, max_examples=60)
    def test_the_same_as_herding_of_dense_features(self, seed, count):
        features = torch.randn(count, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        ours, allowed = Herd(csr_array(features.numpy())), np.ones(count, bool)
        assert [ours.next(allowed) for _ in range(count)] == herd(features, count).tolist()

    def test_only_what_is_allowed_is_taken(self):
        ours = Herd(csr_array(np.array([[0.0], [1.0], [9.0]])))
        assert ours.next(np.array([True, False, True])) == 0
        assert ours.next(np.array([True, False, True])) == 2

    def test_histograms_count_every_node(self):
        graphs = random_graphs(3)
        trees = np.arange(len(graphs.node_features)) % 4
        counts = histograms(graphs.graph_of_node.numpy(), trees, (len(graphs), 4)).toarray()
        for g in range(len(graphs)):
            assert counts[g].tolist() == np.bincount(trees[graphs.nodes_of(g)], minlength=4).tolist()

    def test_it_says_that_no_network_is_trained(self, task):
        note = "herding on histograms of computation trees of 3 hops; no network is trained"
        assert note in made("herding-graphs", task, to={"hops": 3}).provenance["notes"]


class TestFull:
    def test_everything_whatever_the_ipc(self, task, real):
        syn = made("full-graphs", task, ipc=2)
        assert torch.equal(syn.labels, real.train.y) and len(syn) == 45 and syn.ipc == 2
        assert syn.provenance["notes"] == ["the whole training split, 15 + 15 + 15 graphs, whatever the ipc"]
        assert syn.charged_bytes == int(graph_bytes(real.train).sum())


def test_bytes_of_real_graphs_are_the_papers():
    train = published("NCI1").train
    assert graph_bytes(train).sum() == 1_046_828 and graph_bytes(train).mean() == pytest.approx(318.4, abs=0.05)
