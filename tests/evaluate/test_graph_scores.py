"""Scoring sets of graphs: what a plain loop does, one result a seed, and refusals of what does not fit."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import computing
from helpers.graph_score_makers import as_set, sized_set
from sklearn.metrics import roc_auc_score

from ddbench.errors import UserError
from ddbench.evaluate.graphs.metrics import accuracy, log_odds, roc_auc
from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS, GraphSetting
from ddbench.evaluate.graphs.score import score_graphs
from ddbench.graphs.forests import build_forests
from ddbench.graphs.message_passing import of_graphs
from ddbench.graphs.networks import GRAPH_NETWORKS, build_gnn
from ddbench.graphs.refine import refine
from ddbench.randomness import derive

SHORT = replace(
    GRAPH_PROTOCOLS["graphs-v1"],
    setting=GraphSetting(layers=2, hidden=16, dropout=0.2, weight_decay=1e-4, steps=30),
    lr=0.01,
    validate_every=10,
)
WHOLE = replace(
    SHORT, batch=None, sampling="uniform", validate_every=4, setting=replace(SHORT.setting, dropout=0.0, steps=24)
)


class Meter:
    def __init__(self):
        self.told, self.closed = [], False

    def start(self, total, what, done=0):
        self.total = total

    def update(self, done, **facts):
        self.told.append(done)

    def close(self):
        self.closed = True


def plain_loop(syn, real, protocol, name, seed):
    """The same training without any of the program's own loop, loss, batches or measures."""
    setting = protocol.setting
    network = build_gnn(
        name,
        node_cardinalities=real.node_cardinalities,
        classes=real.classes,
        hidden=setting.hidden,
        dropout=0.0,
        seed=derive(seed, "evaluation", "network"),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=protocol.lr, weight_decay=setting.weight_decay)
    seen = of_graphs(syn.payload, 2)
    best, kept = -1.0, None
    for step in range(setting.steps + 1):
        if step % protocol.validate_every == 0 and (step or protocol.validate_untrained):
            found = measured(network, real.validation, real.classes)
            if found[1] > best:
                best, kept = found[1], measured(network, real.test, real.classes)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(seen), syn.payload.y).backward()
        optimizer.step()
    return *kept, best


@torch.no_grad()
def measured(network, graphs, classes):
    chances = network(of_graphs(graphs, 2)).double().softmax(1).numpy()
    y = graphs.y.numpy()
    area = roc_auc_score(y, chances[:, 1]) if classes == 2 else roc_auc_score(y, chances, multi_class="ovr")
    return (chances.argmax(1) == y).mean(), area


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("untrained", [False, True])
@pytest.mark.parametrize("name", ["gcn-sum", "gin-mean"])
def test_equals_a_plain_loop(classes, untrained, name):
    real = sized_set(classes)
    protocol = replace(WHOLE, validate_untrained=untrained)
    syn = as_set(real, real.train.subset(torch.arange(12)))
    scores = score_graphs(syn, real, protocol=protocol, network=name, seeds=(0, 7))
    wanted = [plain_loop(syn, real, protocol, name, seed) for seed in (0, 7)]
    for found, column in zip(
        (scores.accuracy, scores.roc_auc, scores.validation), zip(*wanted, strict=True), strict=True
    ):
        assert found == pytest.approx(column, abs=1e-6)
    assert (scores.seeds, scores.protocol, scores.network, scores.notes) == ((0, 7), "graphs-v1", name, ())


@pytest.mark.parametrize("name", GRAPH_NETWORKS)
def test_every_network_learns_from_all_training_graphs(name, device):
    real = sized_set(3)
    scores = score_graphs(
        as_set(real, real.train), real, protocol=SHORT, network=name, seeds=(0,), compute=computing(device=device)
    )
    assert scores.roc_auc[0] > 0.8 and scores.validation[0] > 0.8 and scores.accuracy[0] > 0.4
    assert scores.seconds > 0


def test_a_seed_is_the_same_bits_whatever_the_others_and_no_global_state_moves():
    real = sized_set()
    syn = as_set(real, real.train)
    small = replace(SHORT, batch=8)
    before = torch.random.get_rng_state()
    both = score_graphs(syn, real, protocol=small, network="gat-mean", seeds=(3, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(3)
    alone = score_graphs(syn, real, protocol=small, network="gat-mean", seeds=(1,))
    first, second = zip(both.roc_auc, both.accuracy, both.validation, strict=True)
    assert second == (*alone.roc_auc, *alone.accuracy, *alone.validation) != first


def test_forests_are_scored_as_graphs_are():
    real = sized_set()
    found = refine(real.train, 2)
    trees = [sorted(set(found.ids[-1][real.train.nodes_of(g)].tolist())) for g in range(12)]
    forests = build_forests(real.train, found, trees)
    labels = real.train.y[:12]
    hard = as_set(real, forests, labels=labels, frequency=torch.arange(1, 13))
    soft = replace(hard, labels=torch.nn.functional.one_hot(labels, 2).float(), label_kind="probabilities")
    scores = [score_graphs(syn, real, protocol=SHORT, network="gin-mean", seeds=(0, 1)) for syn in (hard, soft)]
    assert scores[0].roc_auc == scores[1].roc_auc and scores[0].validation == scores[1].validation
    assert min(scores[0].roc_auc) > 0.6


def test_frequencies_count():
    """Few graphs with wrong labels mislead a network where they stand for many."""
    real = sized_set()
    wrong = torch.arange(40) < 8
    often = as_set(
        real,
        real.train,
        labels=torch.where(wrong, 1 - real.train.y, real.train.y),
        frequency=torch.where(wrong, 1000, 1),
    )
    misled, uniform = (
        score_graphs(often, real, protocol=replace(SHORT, sampling=sampling), network="gin-mean", seeds=(0,))
        for sampling in ("frequency", "uniform")
    )
    assert misled.roc_auc[0] < 0.5 < 0.8 < uniform.roc_auc[0]


def test_best_of_more_seeds_are_reported_and_said():
    real = sized_set()
    syn = as_set(real, real.train.subset(torch.arange(6)))
    every = score_graphs(syn, real, protocol=SHORT, network="gin-sum", seeds=range(6))
    some = replace(SHORT, reported=2)
    best = score_graphs(syn, real, protocol=some, network="gin-sum", seeds=range(6))
    wanted = sorted(sorted(range(6), key=lambda seed: -every.validation[seed])[:2])
    assert best.seeds == tuple(wanted)
    assert best.roc_auc == tuple(every.roc_auc[seed] for seed in wanted)
    assert best.notes == ("the 2 best of 6 seeds on validation",)
    again = score_graphs(syn, real, protocol=some, network="gin-sum", seeds=best.seeds)
    assert (again.roc_auc, again.accuracy, again.notes) == (best.roc_auc, best.accuracy, ())


def test_training_that_does_not_stay_finite_is_noted():
    real = sized_set()
    wild = replace(WHOLE, lr=1e30)
    scores = score_graphs(as_set(real, real.train), real, protocol=wild, network="gin-sum", seeds=(4,))
    assert scores.notes == ("seed 4: the training did not stay finite",)
    assert (scores.roc_auc, scores.validation, scores.accuracy) == ((0.5,), (0.5,), (0.5,))
    begun = replace(wild, validate_untrained=True)
    scores = score_graphs(as_set(real, real.train), real, protocol=begun, network="gin-sum", seeds=(4,))
    assert len(scores.notes) == 1 and scores.validation[0] != 0.5


def test_progress_is_told_to_the_end():
    real, meter = sized_set(), Meter()
    score_graphs(
        as_set(real, real.train),
        real,
        protocol=SHORT,
        network="gcn-sum",
        seeds=(0, 1),
        compute=computing(progress=meter),
    )
    assert meter.total == meter.told[-1] == 60 and meter.told == sorted(meter.told) and meter.closed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "data set differ"),
        ({"class_names": ("a", "b")}, "classes differ"),
        ({"node_cardinalities": (4,)}, "node labels a column differ"),
        ({"edge_cardinalities": (2,)}, "edge labels a column differ"),
    ],
)
def test_set_and_data_that_do_not_fit(change, message):
    real = sized_set()
    syn = as_set(real, real.train)
    with pytest.raises(UserError, match=message):
        score_graphs(syn, replace(real, **change), protocol=SHORT, network="gcn-sum", seeds=(0,))


def test_splits_on_which_nothing_can_be_asked():
    real = sized_set()
    syn = as_set(real, real.train)
    none = replace(real, validation=real.validation.subset(torch.arange(0)))
    with pytest.raises(UserError, match="validation split of tiny is empty") as found:
        score_graphs(syn, none, protocol=SHORT, network="gcn-sum", seeds=(0,))
    assert "validation: 0.1" in str(found.value)
    one = replace(real, test=real.test.subset((real.test.y == 1).nonzero()[:, 0]))
    with pytest.raises(UserError, match="one class only"):
        score_graphs(syn, one, protocol=SHORT, network="gcn-sum", seeds=(0,))


def test_seeds_network_and_protocol_are_wanted():
    real = sized_set()
    syn = as_set(real, real.train)
    with pytest.raises(UserError, match="at least one seed"):
        score_graphs(syn, real, protocol=SHORT, network="gcn-sum", seeds=())
    with pytest.raises(UserError, match="did you mean 'gcn-sum'"):
        score_graphs(syn, real, protocol=SHORT, network="gcn-sun")
    with pytest.raises(UserError, match="did you mean 'mirage-compat-v1'"):
        score_graphs(syn, real, protocol="mirage-v1", network="gcn-sum")


def test_trees_too_low_for_the_network():
    real = sized_set()
    forests = build_forests(real.train, refine(real.train, 1), [[0], [1]])
    syn = as_set(real, forests, labels=torch.tensor([0, 1]))
    with pytest.raises(UserError, match="computation trees of 1 hops"):
        score_graphs(syn, real, protocol=SHORT, network="gcn-sum", seeds=(0,))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_measures_are_those_of_scikit_learn(classes):
    generator = torch.Generator().manual_seed(classes)
    logits, y = torch.randn(60, classes, generator=generator).double(), torch.arange(60) % classes
    chances = logits.softmax(1).numpy()
    wanted = roc_auc_score(y, chances[:, 1]) if classes == 2 else roc_auc_score(y, chances, multi_class="ovr")
    assert roc_auc(logits, y) == pytest.approx(wanted, abs=1e-12)
    assert accuracy(logits, y) == (chances.argmax(1) == y.numpy()).mean()
    torch.testing.assert_close(log_odds(logits), logits.softmax(1).logit(), rtol=1e-9, atol=1e-9)


def test_saturated_softmax_makes_no_ties():
    logits = torch.tensor([[0.0, 100.0], [0.0, 200.0], [0.0, 300.0], [0.0, 400.0]])
    y = torch.tensor([0, 0, 1, 1])
    assert roc_auc_score(y, logits.softmax(1)[:, 1]) == 0.5
    assert roc_auc(logits, y) == 1.0


def test_class_that_no_graph_of_a_split_has_is_left_out():
    logits, y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
    odds = log_odds(logits.double())
    assert roc_auc(logits, y) == pytest.approx((roc_auc_score(y == 0, odds[:, 0]) + roc_auc_score(y, odds[:, 1])) / 2)
