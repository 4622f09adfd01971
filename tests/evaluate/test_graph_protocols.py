"""Protocols on graphs never change silently; items are drawn, and weigh in the loss, as they say."""

from dataclasses import replace

import pytest
import torch
from helpers.gnn_makers import random_graphs
from helpers.graph_score_makers import as_set, sized_set
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.evaluate.graphs.batches import GraphTrainingSet, chances, mean_loss
from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS, GraphSetting, graph_protocol
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.graphs.forests import build_forests
from ddbench.graphs.message_passing import of_graphs
from ddbench.graphs.networks import build_gnn
from ddbench.graphs.refine import refine

# A fingerprint that changes here means rows that can not be compared with those before: add a version instead.
FROZEN = {
    "graphs-v1": "73bbd95c267599bf",
    "graphs-uniform-v1": "b0d3f94b910d2cd7",
    "mirage-compat-v1": "d15ded5e0db0be50",
}
CPU = torch.device("cpu")


def test_protocols_are_frozen():
    assert {name: found.fingerprint for name, found in GRAPH_PROTOCOLS.items()} == FROZEN
    assert not set(GRAPH_PROTOCOLS) & set(PROTOCOLS)


@pytest.mark.parametrize("name", ["graphs-v1", "graphs-uniform-v1"])
def test_numbers_of_ours(name):
    found = graph_protocol(name)
    for dataset in ("tu-NCI1", "tu-IMDB-MULTI"):
        assert found.setting_for(dataset, "gat-sum") == GraphSetting(
            layers=2, hidden=64, dropout=0.2, weight_decay=1e-4, steps=500
        )
    assert (found.lr, found.batch, found.reported, found.notes) == (1e-3, 128, None, ())
    assert found.sampling == ("frequency" if name == "graphs-v1" else "uniform")
    assert [step for step in range(501) if found.validates_after(step)] == list(range(20, 501, 20))


def test_numbers_of_mirage():
    found = graph_protocol("mirage-compat-v1")
    assert (found.lr, found.batch, found.sampling, found.reported) == (1e-3, None, "uniform", 5)
    assert all(found.validates_after(step) for step in range(301))

    def of(dataset, network="gcn-sum"):
        said = found.setting_for(dataset, network)
        return said.layers, said.hidden, said.dropout, said.weight_decay, said.steps

    assert of("tu-NCI1") == of("tu-MUTAG") == of("motifs") == (2, 128, 0.5, 100.0, 300)
    assert of("tu-IMDB-BINARY") == (2, 64, 0.2, 0.1, 1499)
    assert of("tu-DD", "gin-sum") == (1, 128, 0.2, 1e-2, 99) and of("tu-DD") == (1, 64, 0.4, 1e-2, 99)
    assert of("ogb-molhiv", "gat-mean") == (2, 128, 0.1, 1e-6, 29)
    assert any("compat" in note for note in found.notes) and any("IMDB" in note for note in found.notes)


def test_unknown_protocol():
    with pytest.raises(UserError, match="did you mean 'graphs-v1'"):
        graph_protocol("graph-v1", "recipe.yaml, line 9")


def test_fingerprint_is_of_every_number():
    ours = GRAPH_PROTOCOLS["graphs-v1"]
    changes = {"lr": 2e-3, "batch": 64, "sampling": "uniform", "validate_every": 10, "validate_untrained": True}
    changes |= {"reported": 5, "setting": replace(ours.setting, steps=501), "exceptions": (("x", "", ours.setting),)}
    changed = [replace(ours, **{name: value}).fingerprint for name, value in changes.items()]
    assert len({ours.fingerprint, *changed}) == len(changes) + 1
    assert replace(ours, title="", source="", notes=("",)).fingerprint == ours.fingerprint


@given(seed=st.integers(0, 9999), items=st.integers(1, 9), classes=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_chances_are_the_formula(seed, items, classes):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(items, classes, generator=generator).double()
    labels /= labels.sum(1, keepdim=True)
    frequency = torch.randint(1, 50, (items,), generator=generator)
    wanted = [
        sum(
            labels[i, c] * frequency[i] / sum(labels[j, c] * frequency[j] for j in range(items)) / classes
            for c in range(classes)
        )
        for i in range(items)
    ]
    found = chances(labels, frequency, "frequency")
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-12, atol=0)
    assert abs(found.sum() - 1) < 1e-12
    assert torch.equal(chances(labels, frequency, "uniform"), torch.full((items,), 1 / items, dtype=torch.float64))


def test_chances_of_a_class_without_items_go_to_the_others():
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    found = chances(labels, torch.tensor([7, 1, 3]), "frequency")
    torch.testing.assert_close(found, torch.tensor([0.5, 0.125, 0.375]).double())


def lesson_of(payload, protocol, real, **more):
    return GraphTrainingSet(syn=as_set(real, payload, **more), protocol=protocol, layers=2, device=CPU)


def first_drawn(lesson, seed, batch):
    likely = chances(lesson.probabilities, lesson.syn.frequency, lesson.protocol.sampling)
    return torch.multinomial(likely, batch, replacement=True, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch", [16, 200])
@pytest.mark.parametrize("soft", [False, True])
def test_loss_and_gradient_are_those_of_the_drawn_items_one_by_one(batch, soft):
    """batch 16 takes the drawn ones of 40 graphs, batch 200 weighs all of them."""
    real = sized_set()
    labels = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    more = {"labels": labels / labels.sum(1, keepdim=True), "label_kind": "probabilities"} if soft else {}
    more["frequency"] = torch.randint(1, 9, (40,), generator=torch.Generator().manual_seed(1))
    lesson = lesson_of(real.train, replace(GRAPH_PROTOCOLS["graphs-v1"], batch=batch), real, **more)
    network = build_gnn("gin-sum", node_cardinalities=real.node_cardinalities, classes=2, dropout=0, seed=0).double()
    shown = next(lesson.batches(torch.Generator().manual_seed(5)))
    drawn = first_drawn(lesson, 5, batch)
    logits = network(of_graphs(real.train.subset(drawn), 2))
    targets = lesson.probabilities[drawn].double() if soft else real.train.y[drawn]
    wanted = torch.nn.functional.cross_entropy(logits, targets)
    found = mean_loss(network(shown.items), shown)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    both = [torch.autograd.grad(loss, network.classifier.weight)[0] for loss in (wanted, found)]
    assert both[0].abs().max() > 0
    torch.testing.assert_close(both[1], both[0], rtol=1e-5, atol=1e-8)
    assert shown.items.items == (len(drawn.unique()) if batch == 16 else 40)
    assert abs(shown.weights.sum().item() - 1) < 1e-6


def test_forests_are_computed_as_a_whole_and_weighted():
    real, graphs = sized_set(), random_graphs(0, 6, cardinalities=(3,))
    found = refine(graphs, 2)
    forests = build_forests(graphs, found, [[0], [1, 2], [0, 2]])
    more = {"labels": torch.tensor([0, 1, 1]), "frequency": torch.tensor([5, 1, 2])}
    lesson = lesson_of(forests, GRAPH_PROTOCOLS["graphs-v1"], real, **more)
    batches = lesson.batches(torch.Generator().manual_seed(0))
    first, second = next(batches), next(batches)
    assert first.items is second.items and not torch.equal(first.weights, second.weights)
    counted = sum(next(batches).weights for _ in range(200)) / 200
    torch.testing.assert_close(counted, torch.tensor([0.5, 1 / 6, 1 / 3]), rtol=0, atol=0.01)


def test_all_items_as_one_batch():
    real = sized_set()
    lesson = lesson_of(real.train.subset(torch.arange(5)), GRAPH_PROTOCOLS["mirage-compat-v1"], real)
    batches = lesson.batches(torch.Generator())
    assert next(batches).items is next(batches).items
    assert torch.equal(next(batches).weights, torch.full((5,), 0.2))
