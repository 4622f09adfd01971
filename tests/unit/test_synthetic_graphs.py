"""The artifact of graph distillation: what it costs, and that a file of it is whole, or refused."""

import pytest
import torch
from helpers.tree_makers import graphs_of, labeled_graphs, published
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.graphs.forests import Forests, build_forests
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.refine import refine
from ddbench.graphs.stored_graphs import pack_graphs, unpack_graphs
from ddbench.graphs.synthetic_graphs import SyntheticGraphs, load_synthetic_graphs

often = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def set_of(payload, **more):
    """A set of two classes, items by turns."""
    items = len(payload)
    columns = payload.node_features if isinstance(payload, Graphs) else payload.trees.node_labels
    edges = payload.edge_features if isinstance(payload, Graphs) else payload.trees.edge_labels
    given = {
        "labels": torch.arange(items) % 2,
        "frequency": torch.ones(items, dtype=torch.int64),
        "ipc": items,
        "dataset": "tu-NONE",
        "class_names": ("no", "yes"),
        "method": "mirage",
        "node_cardinalities": (3,) * columns.shape[1],
        "edge_cardinalities": (3,) * edges.shape[1],
        "provenance": {"charged": {"trees": 5}, "notes": []},
        **more,
    }
    return SyntheticGraphs(payload=payload, **given)


@st.composite
def sets(draw):
    """Graphs or forests, hard labels or probabilities, frequencies or none."""
    graphs = draw(labeled_graphs())
    graphs = graphs.subset(torch.arange(len(graphs)))
    payload = graphs
    if draw(st.booleans()):
        refinement = refine(graphs, draw(st.integers(0, 2)))
        payload = build_forests(graphs, refinement, [[id] for id in range(refinement.counts[-1])])
    more = {}
    if draw(st.booleans()):
        more["frequency"] = torch.arange(1, len(payload) + 1) * draw(st.sampled_from([1, 100]))
    if draw(st.booleans()):
        share = torch.rand(len(payload), 1, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
        more |= {"labels": torch.cat([share, 1 - share], 1), "label_kind": "probabilities"}
    return set_of(payload, **more)


def same_payload(found, wanted):
    if isinstance(wanted, Graphs):
        assert isinstance(found, Graphs)
        return all(
            torch.equal(found.tensors()[name], tensor) for name, tensor in wanted.tensors().items() if name != "y"
        )
    assert isinstance(found, Forests)
    return artifact.tensors_sha256(found.tensors()) == artifact.tensors_sha256(wanted.tensors())


@often
@given(sets())
def test_save_and_load_keep_every_bit(tmp_path, syn):
    path = tmp_path / "set.safetensors"
    digest = syn.save(path)
    back = load_synthetic_graphs(path)
    assert same_payload(back.payload, syn.payload)
    for name in ("labels", "frequency"):
        found, wanted = getattr(back, name), getattr(syn, name)
        assert found.dtype == wanted.dtype and torch.equal(found, wanted)
    for name in ("label_kind", "ipc", "dataset", "class_names", "method", "node_cardinalities", "edge_cardinalities"):
        assert getattr(back, name) == getattr(syn, name), name
    assert back.provenance == syn.provenance and back.save(path) == digest
    stored, _ = artifact.load(path, "synthetic graph set")
    assert sum(syn.bytes.values()) == sum(tensor.numel() * tensor.element_size() for tensor in stored.values())


@often
@given(sets())
def test_to_pyg_says_class_and_frequency(syn):
    for item, data in enumerate(syn.to_pyg()):
        assert torch.equal(data.y, syn.labels[item : item + 1]) and data.freq.tolist() == [syn.frequency[item]]
        assert data.x.dtype == torch.int64 and data.num_nodes == len(data.x)
        assert hasattr(data, "root_mask") == isinstance(syn.payload, Forests)
    assert torch.equal(syn.hard_labels(), syn.labels if syn.label_kind == "hard" else (syn.labels[:, 1] > 0.5).long())


class TestStoredGraphs:
    @often
    @given(labeled_graphs(directed=True))
    def test_any_order_of_edges_comes_back(self, graphs):
        back = unpack_graphs(pack_graphs(graphs), graphs.y)
        assert all(torch.equal(back.tensors()[name], tensor) for name, tensor in graphs.tensors().items())

    def test_an_undirected_edge_is_stored_once(self):
        ring = [(a, (a + 1) % 5, (a % 2,)) for a in range(5)]
        paired = [each for a, b, code in ring for each in ((a, b, code), (b, a, code))]
        for edges, name in ((paired, "edges_paired"), (sorted(paired), "edges_sorted"), (paired[::-1][1:], "edges")):
            graphs = graphs_of([([(0,)] * 5, edges), ([(1,)] * 5, edges)], edge_columns=1)
            stored = pack_graphs(graphs)
            assert stored[name].shape == (2, 10 if name != "edges" else 18) and stored[name].max() == 4
            assert torch.equal(unpack_graphs(stored, graphs.y).edge_index, graphs.edge_index)

    def test_real_graphs_are_stored_in_half_their_edges(self):
        train = published("NCI1").train
        stored = pack_graphs(train)
        assert stored["edges_sorted"].shape == (2, 106_281) and stored["edges_sorted"].dtype == torch.uint8


class TestCharged:
    def test_graphs_as_the_paper_counts_them(self):
        real = published("NCI1")
        syn = set_of(real.train, labels=real.train.y, node_cardinalities=real.node_cardinalities)
        assert syn.charged_bytes == 1_046_828
        assert round(syn.charged_bytes / len(syn), 1) == 318.4

    def test_trees_are_charged_written_out(self):
        path = graphs_of([([(0,), (1,)], [(0, 1, ()), (1, 0, ())])])
        forests = build_forests(path, refine(path, 2), [[0, 1], [1]])
        assert set_of(forests).charged_bytes == 2 * (9 + 2 * 6)

    def test_parts_are_named(self):
        path = graphs_of([([(0,), (1,)], [(0, 1, ()), (1, 0, ())])])
        forests = set_of(build_forests(path, refine(path, 2), [[0, 1], [1]]), frequency=torch.tensor([700, 3]))
        assert forests.bytes.keys() == {"trees", "items", "features", "degrees", "labels", "frequency"}
        assert forests.bytes["frequency"] == 4 and forests.bytes["labels"] == 2 and forests.bytes["items"] == 5
        assert set_of(path).bytes == {"structure": 4, "features": 2, "labels": 1, "frequency": 0}


class TestRefusedByPython:
    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"labels": torch.tensor([0, 2])}, "not one of 2 classes"),
            ({"labels": torch.tensor([0])}, "2 items"),
            ({"labels": torch.tensor([0.0, 1.0])}, "hard labels"),
            ({"labels": torch.tensor([[0.5, 0.4]] * 2), "label_kind": "probabilities"}, "add up"),
            ({"labels": torch.tensor([[float("nan"), 1]] * 2), "label_kind": "probabilities"}, "add up"),
            ({"labels": torch.tensor([[1.0]] * 2), "label_kind": "probabilities"}, "2 classes"),
            ({"label_kind": "logits"}, "can not be 'logits'"),
            ({"frequency": torch.tensor([0, 1])}, "frequency"),
            ({"ipc": 0}, "ipc"),
            ({"node_cardinalities": (1,)}, "cardinalities"),
            ({"node_cardinalities": (2, 2)}, "cardinalities"),
            ({"edge_cardinalities": (2,)}, "cardinalities"),
        ],
    )
    def test_what_does_not_fit(self, wrong, why):
        graphs = graphs_of([([(1,)], []), ([(0,)], [])])
        with pytest.raises(ValueError, match=why):
            set_of(graphs, **wrong)

    def test_a_set_of_nothing(self):
        with pytest.raises(ValueError, match="0 items"):
            set_of(graphs_of([]))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "set.safetensors"
    graphs = graphs_of([([(0,), (1,), (2,)], [(0, 1, ()), (1, 0, ()), (2, 1, ()), (1, 2, ())])] * 2)
    set_of(build_forests(graphs, refine(graphs, 2), [[0], [1, 2]])).save(path)
    return path


class TestRefusedFiles:
    def test_absent_damaged_or_something_else(self, saved):
        with pytest.raises(UserError, match="there is no file"):
            load_synthetic_graphs(saved.with_name("none.safetensors"))
        whole = saved.read_bytes()
        for content in (whole[:-3], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
            saved.write_bytes(content)
            with pytest.raises(UserError, match="is damaged"):
                load_synthetic_graphs(saved)
        artifact.save(saved, "synthetic set", {"images": torch.zeros(1)}, {})
        with pytest.raises(UserError, match="is a synthetic set, not a synthetic graph set"):
            load_synthetic_graphs(saved)

    def test_probabilities_of_no_class(self, tmp_path):
        set_of(graphs_of([([(0,)], [])])).save(path := tmp_path / "set.safetensors")
        tensors, document = artifact.load(path, "synthetic graph set")
        document |= {"label_kind": "probabilities", "class_names": []}
        artifact.save(path, "synthetic graph set", {**tensors, "labels": torch.zeros(1, 0)}, document)
        with pytest.raises(UserError, match="key   class_names"):
            load_synthetic_graphs(path)

    @often
    @given(sets(), st.data())
    def test_a_strangers_file_is_a_set_or_one_error(self, tmp_path, syn, data):
        path = tmp_path / "stranger.safetensors"
        syn.save(path)
        tensors, document = artifact.load(path, "synthetic graph set")
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from(sorted(document)))
            junk = st.sampled_from(
                [None, -1, 0, 3, 0.5, "x", "graphs", "forests", [], [1], ["a"], [[]], {}, 10**30, True]
            )
            document[name] = data.draw(junk)
        else:
            name = data.draw(st.sampled_from(sorted(tensors)))
            held = tensors[name]
            junk = [
                held[:0],
                held[None],
                held[1:],
                held.float(),
                held.to(torch.int64),
                torch.cat([held, held]),
                held * 0,
            ]
            junk += [held.new_full(held.shape, 200), torch.full(held.shape, 2**32 - 1, dtype=torch.uint32)]
            tensors[name] = data.draw(st.sampled_from(junk))
        facts = {key: value for key, value in document.items() if key not in ("kind", "schema", "sha256")}
        artifact.save(path, "synthetic graph set", {key: tensor.clone() for key, tensor in tensors.items()}, facts)
        try:
            back = load_synthetic_graphs(path)
        except UserError as refused:
            assert "stranger.safetensors is not a whole set of synthetic graphs" in str(refused)
            return
        assert len(back.to_pyg()) == len(back) and sum(back.bytes.values()) > 0 and back.charged_bytes > 0
