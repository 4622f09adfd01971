"""Graphs as flat arrays: against PyG's own collation and plain loops, and what a sequence of PyG graphs may hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.utils import degree as pyg_degree

from ddbench.errors import UserError
from ddbench.graphs.graphs import Graphs, graphs_from_pyg


@st.composite
def pyg_graphs(draw):
    """A few random graphs with the same columns; some have no edges, and edges may be directed or repeated."""
    columns, edge_columns = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    made = []
    for _ in range(draw(st.integers(1, 6))):
        nodes, edges = draw(st.integers(1, 7)), draw(st.integers(0, 12))
        data = Data(
            x=torch.randint(0, 5, (nodes, columns), generator=generator),
            edge_index=torch.randint(0, nodes, (2, edges), generator=generator),
            y=torch.randint(0, 3, (1,), generator=generator),
        )
        if edge_columns:
            data.edge_attr = torch.randint(0, 4, (edges, edge_columns), generator=generator)
        made.append(data)
    return made


def equal(a, b):
    return all(torch.equal(a.tensors()[name], b.tensors()[name]) for name in a.tensors())


@settings(max_examples=60, deadline=None)
@given(pyg_graphs())
def test_arrays_are_those_of_pygs_batch_and_go_back(sequence):
    graphs, batch = graphs_from_pyg(sequence), Batch.from_data_list(sequence)
    assert torch.equal(graphs.node_features, batch.x)
    assert torch.equal(graphs.edge_index, batch.edge_index)
    assert torch.equal(graphs.node_ptr, batch.ptr)
    assert torch.equal(graphs.graph_of_node, batch.batch)
    assert torch.equal(graphs.y, batch.y)
    assert torch.equal(graphs.degree, pyg_degree(batch.edge_index[1], batch.num_nodes, torch.int64))
    assert graphs.edge_counts.tolist() == [data.num_edges for data in sequence]
    for back, data in zip(graphs.to_pyg(), sequence, strict=True):
        assert set(back.keys()) == set(data.keys())
        assert all(torch.equal(back[key], data[key]) for key in ("x", "edge_index", "y", "edge_attr") if key in data)
    assert equal(Graphs(**graphs.tensors()), graphs)


@settings(max_examples=60, deadline=None)
@given(pyg_graphs(), st.data())
def test_a_subset_is_the_graphs_at_those_positions(sequence, data):
    graphs = graphs_from_pyg(sequence)
    rows = data.draw(st.lists(st.integers(0, len(sequence) - 1), min_size=1, max_size=8))
    assert equal(graphs.subset(torch.tensor(rows)), graphs_from_pyg([sequence[row] for row in rows]))


def test_an_empty_subset_has_the_columns_and_no_graph():
    graphs = graphs_from_pyg([Data(x=torch.ones(2, 3, dtype=torch.int64), edge_index=PAIR, y=torch.tensor([1]))])
    none = graphs.subset(torch.zeros(0, dtype=torch.int64))
    assert len(none) == 0 and none.node_features.shape == (0, 3) and none.edge_index.shape == (2, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"node_ptr": torch.tensor([0, 2])},
        {"edge_index": torch.tensor([[0, 3], [1, 2]])},
        {"edge_index": torch.tensor([[0, 1], [1, 2]])},
        {"edge_index": torch.tensor([[2, 0], [2, 1]])},
        {"y": torch.tensor([0.0, 1.0])},
    ],
)
def test_arrays_that_do_not_fit_together_are_a_mistake(change):
    last_good = {
        "node_features": torch.zeros(3, 1, dtype=torch.int64),
        "node_ptr": torch.tensor([0, 2, 3]),
        "edge_index": PAIR,
        "edge_features": torch.zeros(2, 0, dtype=torch.int64),
        "y": torch.tensor([0, 1]),
    }
    Graphs(**last_good)
    with pytest.raises(ValueError):
        Graphs(**{**last_good, **change})


PAIR = torch.tensor([[0, 1], [1, 0]])


def graph(**change):
    return Data(**{"x": torch.tensor([[0], [1]]), "edge_index": PAIR, "y": torch.tensor([0]), **change})


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bool])
def test_one_hot_rows_become_one_column_of_positions(kind):
    labels = torch.tensor([2, 0])
    one_hot = torch.nn.functional.one_hot(labels, 4).to(kind)
    graphs = graphs_from_pyg([graph(x=one_hot, edge_attr=one_hot)])
    assert graphs.node_features.tolist() == [[2], [0]] == graphs.edge_features.tolist()


def test_integers_stay_whatever_their_type():
    columns = torch.tensor([[1, 0], [0, 1]])
    assert graphs_from_pyg([graph(x=columns)]).node_features.tolist() == columns.tolist()
    assert graphs_from_pyg([graph(x=columns.float() * 3 + 1)]).node_features.tolist() == [[4, 1], [1, 4]]
    assert graphs_from_pyg([graph(x=torch.tensor([5, 7]), edge_attr=torch.tensor([1.0, 2.0]))]).tensors()[
        "edge_features"
    ].tolist() == [[1], [2]]


def test_without_x_the_degree_is_the_label():
    path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    graphs = graphs_from_pyg([Data(edge_index=path, num_nodes=4, y=torch.tensor([0]))])
    assert graphs.node_features.tolist() == [[1], [2], [1], [0]]


def test_graphs_without_classes_are_marked_so():
    assert graphs_from_pyg([Data(x=torch.tensor([[0]]), edge_index=PAIR[:, :0])]).y.tolist() == [-1]


def test_edges_in_one_direction_stay_so():
    assert graphs_from_pyg([graph(edge_index=PAIR[:, :1])]).edge_index.tolist() == [[0], [1]]


def test_a_graph_without_edges_may_lack_edge_labels():
    lone = Data(x=torch.tensor([[3]]), edge_index=PAIR[:, :0], y=torch.tensor([1]))
    graphs = graphs_from_pyg([lone, graph(edge_attr=torch.tensor([[1], [1]]))])
    assert graphs.edge_features.tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.tensor([[0.5], [1.0]])}, "continuous.*labels"),
        ({"x": torch.tensor([[float("nan")], [1.0]])}, "continuous"),
        ({"edge_attr": torch.tensor([[0.1], [0.2]])}, "edge features .* continuous"),
        ({"x": torch.tensor([[-1], [0]])}, "not categorical codes"),
        ({"x": torch.tensor([[70_000], [0]])}, "not categorical codes"),
        ({"x": torch.zeros(2, 2, 2)}, "graph 1 differs"),
        ({"x": torch.tensor([[0, 1], [1, 1]])}, "graph 1 differs"),
        ({"x": None}, "graph 1 differs"),
        ({"edge_attr": torch.tensor([[1]])}, "2 edges and 1 rows"),
        ({"edge_index": torch.tensor([[0, 2], [1, 0]])}, "a node that is not there"),
        ({"edge_index": None}, "not a graph with an edge_index"),
        ({"y": None}, "graph 1 has no class"),
        ({"y": torch.tensor([0.5])}, "graph 1 has no class"),
        ({"y": torch.tensor([0, 1])}, "graph 1 has no class"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(change, message):
    others = {"edge_attr": torch.tensor([[1], [1]])} if "edge_attr" in change else {}
    with pytest.raises(UserError, match=message) as caught:
        graphs_from_pyg([graph(**others), graph(**change)], where="g.yaml, line 2: dataset")
    assert "g.yaml, line 2" in str(caught.value) and caught.value.fix


def test_features_that_are_no_matrix_are_refused():
    with pytest.raises(UserError, match="not labels"):
        graphs_from_pyg([graph(x=torch.zeros(2, 2, 2))])


def test_something_else_than_a_graph_is_refused():
    with pytest.raises(UserError, match="item 0 is not a graph"):
        graphs_from_pyg(["graph"])
