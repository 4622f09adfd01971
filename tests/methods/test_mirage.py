"""Mirage as a method: what it makes of a graph set, and what it refuses."""

import json

import pytest
import torch
from helpers.distillation_makers import at
from helpers.mirage_makers import brute_force, pairs_graphs, real_set, task_of, transactions_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.graphs.method import GraphTask
from ddbench.graphs.synthetic_graphs import load_synthetic_graphs
from ddbench.methods import METHODS
from ddbench.methods.mirage import Mirage
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource

TWO = [[[0, 1], [0, 1], [0], [4]], [[2, 3], [2, 3], [2], [4], [4]]]
"""Class 0 has 0 three times, 1 and both twice; class 1 the same of 2 and 3, and twice the 4 that both have."""


def mirage(**given):
    return Mirage.model_validate({"hops": 1, **given})


def absolute(*thetas):
    return {"kind": "absolute", "theta": list(thetas)}


def distilled(by_class, ipc=10, **given):
    return mirage(**given).distill(task_of(by_class), ipc, at())


def refused(by_class, ipc=10, **given):
    with pytest.raises(UserError) as caught:
        distilled(by_class, ipc, **given)
    return str(caught.value)


def contents(syn):
    """For each item the numbers of the transactions, from the graphs that it unfolds to."""
    return [sorted(data.x[data.root_mask][:, 0].tolist()) for data in syn.to_pyg()]


class TestSet:
    def test_items_labels_and_frequencies(self):
        syn = distilled(TWO, threshold=absolute(2, 2))
        assert contents(syn) == [[0], [1], [0, 1], [2], [4], [3], [2, 3]]  # 4 was met before 3
        assert syn.labels.tolist() == [0, 0, 0, 1, 1, 1, 1] and syn.label_kind == "hard"
        assert syn.frequency.tolist() == [3, 2, 2, 3, 2, 2, 2]
        assert (syn.ipc, syn.method, syn.dataset, syn.classes) == (10, "mirage", "pairs", 2)

    def test_a_set_that_is_frequent_in_two_classes_is_dropped(self):
        syn = distilled(TWO, threshold=absolute(1, 2))
        assert contents(syn) == [[0], [1], [0, 1], [2], [3], [2, 3]]
        assert syn.provenance["mining"]["mined"] == [4, 4]

    def test_or_kept_once_with_a_soft_label(self):
        syn = distilled(TWO, threshold=absolute(1, 2), shared="soft")
        assert syn.label_kind == "probabilities"
        told = zip(syn.labels.tolist(), syn.frequency.tolist(), strict=True)
        made = dict(zip(map(tuple, contents(syn)), told, strict=True))
        assert len(made) == len(syn) == 7
        assert made[(4,)][0] == pytest.approx([1 / 3, 2 / 3]) and made[(4,)][1] == 3
        assert made[(0, 1)] == ([1, 0], 2) and made[(2,)] == ([0, 1], 3)

    def test_the_most_frequent_sets_are_found_for_an_ipc(self):
        syn = distilled(TWO, ipc=2)
        assert contents(syn) == [[0], [1], [2], [4]] and syn.frequency.tolist() == [3, 2, 3, 2]
        assert contents(distilled(TWO, ipc=1)) == [[0], [2]]

    def test_fewer_than_ipc_is_noted(self):
        notes = distilled(TWO, ipc=50).provenance["notes"]
        assert notes[1] == "class 'class 0' has fewer items than were wanted: there are no more"

    def test_a_budget_of_bytes_is_kept(self):
        syn = distilled(TWO, threshold={"kind": "bytes", "budget": 40})
        assert contents(syn) == [[0], [1], [2], [4], [3]] and syn.charged_bytes == 40

    def test_what_it_says_of_itself(self):
        syn = distilled(TWO, threshold=absolute(2, 3))
        told = syn.provenance
        assert told["notes"] == ["thresholds of 2 + 3 graphs: 3 + 1 patterns, 3 + 1 kept"]
        assert told["charged"] == {"trees": syn.charged_bytes}
        assert told["mining"] == {"thetas": [2, 3], "mined": [3, 1], "kept": [3, 1], "coverage": [0.75, 0.6]}
        assert json.loads(json.dumps(told)) == told
        assert "pyfpgrowth" in distilled(TWO, threshold=absolute(2, 3), miner="compat").provenance["notes"][1]

    def test_it_is_stored_and_read(self, tmp_path):
        syn = distilled(TWO, ipc=3, shared="soft")
        syn.save(tmp_path / "set.safetensors")
        back = load_synthetic_graphs(tmp_path / "set.safetensors")
        assert contents(back) == contents(syn) and torch.equal(back.labels, syn.labels)
        assert torch.equal(back.frequency, syn.frequency) and back.provenance == syn.provenance

    @given(st.lists(transactions_of(most=6, trees=5), min_size=1, max_size=4), st.integers(1, 4), st.data())
    @settings(deadline=None, max_examples=40)
    def test_any_number_of_classes_against_every_set_tried(self, by_class, theta, data):
        thetas = [data.draw(st.integers(1, max(1, min(theta, len(each))))) for each in by_class]
        mined = [brute_force(each, theta) for each, theta in zip(by_class, thetas, strict=True)]
        counts = [sum(trees in sets for sets in mined) for sets in mined for trees in sets]
        unshared = [[trees for trees in sets if sum(trees in other for other in mined) == 1] for sets in mined]
        if not all(unshared):
            assert "keeps no tree set" in refused(by_class, 100, threshold=absolute(*thetas))
            return
        syn = distilled(by_class, 100, threshold=absolute(*thetas))
        assert sorted(map(tuple, contents(syn))) == sorted(trees for sets in unshared for trees in sets)
        assert counts.count(1) == len(syn)
        for label, sets in enumerate(unshared):
            mine = [tuple(each) for each, y in zip(contents(syn), syn.labels, strict=True) if y == label]
            supports = syn.frequency[syn.labels == label].tolist()
            assert [mined[label][trees] for trees in mine] == supports == sorted(supports, reverse=True)
            assert set(mine) == set(sets)

    def test_the_order_of_graphs_does_not_matter(self):
        graphs = pairs_graphs(TWO)
        for seed in range(3):
            rows = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(seed))
            task = GraphTask(real=real_set(graphs.subset(rows)))
            syn = mirage(threshold=absolute(2, 2)).distill(task, 4, at())
            assert sorted(contents(syn)) == sorted(contents(distilled(TWO, threshold=absolute(2, 2))))


class TestRefusals:
    def test_thresholds_that_leave_more_than_ipc(self):
        says = refused(TWO, 2, threshold=absolute(2, 2))
        assert says.startswith("the thresholds leave 3 + 4 items: set ipc: 4\n")
        assert "lower the budget" in refused(TWO, 1, threshold={"kind": "bytes", "budget": 60})

    def test_a_class_that_loses_all_its_sets(self):
        by_class = [[[0]] * 3 + [[0, 1]], [[0]] * 5 + [[2]]]
        says = refused(by_class, threshold=absolute(3, 4))
        assert says.splitlines()[0] == "class 'class 0' keeps no tree set"
        assert "all 1 sets that 3 or more of its 4 graphs have are frequent in another class" in says
        assert "theta: [1, 4] keeps one" in says and "shared: soft" in says
        assert len(distilled(by_class, threshold=absolute(3, 4), shared="soft")) == 1
        assert contents(distilled([[[0]] * 3 + [[0, 1]], [[3]] * 5], threshold=absolute(1, 4)))

    def test_the_threshold_it_names_is_the_largest_that_works(self):
        by_class = [[[0, 1]] * 2 + [[0]] * 2, [[0]] * 5 + [[2]] * 4]
        says = refused(by_class, threshold=absolute(4, 4))
        assert "theta: [2, 4] keeps one" in says
        assert refused(by_class, threshold=absolute(3, 4))
        assert distilled(by_class, threshold=absolute(2, 4)).labels.tolist() == [0, 0, 1]

    def test_the_same_in_shares(self):
        by_class = [[[0, 1]] * 2 + [[0]] * 2, [[0]] * 5 + [[2]] * 4]
        says = refused(by_class, threshold={"kind": "relative", "theta": [1.0, 0.4]})
        assert "theta: [0.5, 0.444444] keeps one" in says
        assert distilled(by_class, threshold={"kind": "relative", "theta": [0.5, 0.444444]})

    def test_a_threshold_that_nothing_reaches(self):
        says = refused([[[0], [1], [1]], [[2], [2]]], threshold=absolute(3, 2))
        assert "no set is in 3 of its 3 graphs; the most frequent tree is in 2" in says
        assert "theta: [2, 2] keeps one" in says and "soft" not in says

    def test_classes_that_can_not_be_told_apart(self):
        says = refused([[[0], [1]], [[0], [1]]])
        assert "are frequent in another class" in says and "there are no more" in says
        assert "fix: keep shared sets with soft labels (shared: soft)" in says
        assert len(distilled([[[0], [1]], [[0], [1]]], shared="soft")) == 2

    @pytest.mark.parametrize("given", [{}, {"shared": "soft"}, {"threshold": absolute(1, 1)}])
    def test_a_class_without_edges(self, given):
        says = refused([[[0], [1]], [[], []]], **given)
        assert "none of its 2 graphs has an edge" in says and "random-graphs" in says

    def test_an_explosion(self):
        by_class = [[[0]], [list(range(30))] * 3]
        says = refused(by_class, threshold=absolute(1, 2))
        assert says.splitlines()[0].startswith("class 'class 1' has too many frequent tree sets at a threshold of 2")
        assert "2,000,000" in says and "most_patterns" in says
        says = refused(by_class)
        assert "below 4 graphs mining passes most_patterns, 2,000,000" in says and "hops" in says

    def test_a_class_without_graphs(self):
        graphs = pairs_graphs([[[0]], [], [[1]]])
        with pytest.raises(UserError, match="class 'class 1' of pairs has 0 training graphs"):
            mirage().distill(GraphTask(real=real_set(graphs)), 1, at())


class TestSettings:
    def test_it_is_registered(self):
        assert METHODS.get("mirage") is Mirage

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"threshold": "items"},
            {"threshold": {"kind": "bytes", "budget": 318}},
            {"threshold": {"kind": "relative", "theta": 0.2}, "shared": "soft"},
            {"threshold": absolute(440, 570), "miner": "compat", "hops": 3},
            {"threshold": {"kind": "absolute", "theta": 7}, "most_patterns": 5},
        ],
    )
    def test_they_survive_json(self, given):
        made = Mirage.model_validate(given)
        assert Mirage.model_validate_json(made.model_dump_json()) == made

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (
                {"threshold": {"kind": "absolute", "theta": 0}},
                "theta is wrong: it should be 1 graph or more",
            ),
            ({"threshold": {"kind": "absolute", "theta": [3, 0]}}, "theta is wrong: it should be 1 graph or more"),
            ({"threshold": {"kind": "absolute", "theta": []}}, "theta is wrong"),
            ({"threshold": {"kind": "absolute", "theta": 2.5}}, "theta is wrong"),
            ({"threshold": {"kind": "relative", "theta": 1.5}}, "theta is wrong: it should be above 0, up to 1"),
            ({"threshold": {"kind": "relative", "theta": [0.5, 0]}}, "theta is wrong: it should be above 0, up to 1"),
            ({"threshold": "bytes"}, "the key 'budget' is missing"),
            ({"threshold": {"theta": 3}}, "say the kind that has it:  threshold: {kind: absolute, theta: ...}"),
            ({"threshold": "absolut"}, "did you mean 'absolute'?"),
            ({"shared": "both"}, "shared can not be 'both'"),
            ({"hops": 0}, "hops is wrong"),
            ({"hops": 65}, "hops is wrong"),
        ],
    )
    def test_wrong_ones_are_explained(self, given, says):
        with pytest.raises(UserError) as caught:
            validate(Mirage, given, YamlSource("r.yaml", {}), ())
        assert says in str(caught.value)
