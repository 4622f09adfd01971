"""Sets of the TU collection: read as PyG reads them, split as published, and refused with a way out."""

import zipfile

import pytest
import torch
from conftest import SHARED_DATA
from helpers.graph_files import triangles_and_paths, write_tu, zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch_geometric.datasets import TUDataset
from torch_geometric.io import read_tu_data

from ddbench.data.rawdata import Request
from ddbench.errors import UserError
from ddbench.graphs import tu
from ddbench.graphs.codes import ranked
from ddbench.graphs.load import load_graphs


def request(root, name="SMALL"):
    return Request(what=name, data_root=root, home=root / "home", quiet=True, where="g.yaml, line 2: dataset")


@st.composite
def tu_lines(draw):
    """Random graphs as lines: edges in any order, some repeated, some from a node to itself, some in one direction.

    The last graph is an edge, because PyG's reader fails where the last graph has none, and on files of one row.
    """
    counts = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    edges, begin = [], 1
    for count in counts:
        ends = st.integers(begin, begin + count - 1)
        edges += draw(st.lists(st.tuples(ends, ends), max_size=10))
        begin += count
    edges += [(begin, begin + 1), (begin + 1, begin)]
    counts = [*counts, 2]
    labels = draw(st.booleans())
    nodes = sum(counts)
    return {
        "edges": draw(st.permutations(edges)),
        "indicator": [g + 1 for g, count in enumerate(counts) for _ in range(count)],
        "classes": draw(st.lists(st.sampled_from([-1, 1, 5]), min_size=len(counts), max_size=len(counts))),
        "node_labels": draw(st.lists(st.integers(-1, 4), min_size=nodes, max_size=nodes)) if labels else None,
    }


@settings(max_examples=60, deadline=None)
@given(lines=tu_lines())
def test_texts_are_read_as_pyg_reads_them(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("tu")
    write_tu(root / "SMALL" / "raw", "SMALL", **lines)
    graphs = tu.load(request(root)).graphs
    want, slices, _ = read_tu_data(str(root / "SMALL" / "raw"), "SMALL")
    graph = torch.tensor(lines["indicator"]) - 1
    edges = want.edge_index + torch.repeat_interleave(graphs.node_ptr[:-1], slices["edge_index"].diff())
    assert torch.equal(graphs.edge_index, edges)
    assert torch.equal(graphs.graph_of_node, graph)
    assert torch.equal(graphs.y, want.y)
    if lines["node_labels"] is None:
        assert torch.equal(graphs.node_features[:, 0], graphs.degree)
    else:
        assert torch.equal(graphs.node_features[:, 0], ranked(want.x.argmax(1))[0])


@pytest.fixture
def tu_root():
    if not (SHARED_DATA / "tu" / "NCI1").is_dir():
        pytest.skip("the real TU sets are not beside this checkout")
    return SHARED_DATA


def test_real_edge_labels_are_those_of_pyg(tu_root):
    folder = tu_root / "tu" / "MUTAG" / "raw"
    want, _, _ = read_tu_data(str(folder), "MUTAG")
    got = tu.load(request(tu_root, "MUTAG")).graphs
    assert torch.equal(got.edge_features[:, 0], want.edge_attr.argmax(1))
    assert torch.equal(got.node_features[:, 0], want.x.argmax(1))


def test_the_set_as_pyg_presents_it_gives_the_same_graphs(tu_root, tmp_path):
    from ddbench.graphs.graphs import graphs_from_pyg

    (tmp_path / "MUTAG").mkdir()
    (tmp_path / "MUTAG" / "raw").symlink_to(tu_root / "tu" / "MUTAG" / "raw")
    want = graphs_from_pyg(TUDataset(str(tmp_path), "MUTAG"))
    got = tu.load(request(tu_root, "MUTAG")).graphs
    assert all(torch.equal(got.tensors()[name], value) for name, value in want.tensors().items())


@pytest.mark.parametrize(
    ("name", "sizes", "nodes", "edges", "classes", "metric"),
    [
        ("NCI1", (3288, 411, 411), (37,), (), 2, "roc-auc"),
        ("MUTAG", (150, 19, 19), (7,), (4,), 2, "roc-auc"),
        ("IMDB-BINARY", (800, 100, 100), (136,), (), 2, "roc-auc"),
        ("IMDB-MULTI", (1200, 150, 150), (89,), (), 3, "accuracy"),
    ],
)
def test_real_sets_are_what_they_are_known_to_be(tu_root, tmp_path, name, sizes, nodes, edges, classes, metric):
    real = load_graphs(f"tu:{name}", home=tmp_path, data_root=tu_root)
    assert tuple(len(part) for part in (real.train, real.validation, real.test)) == sizes
    assert (real.node_cardinalities, real.edge_cardinalities, real.classes) == (nodes, edges, classes)
    assert (real.name, real.metric) == (f"tu-{name}", metric)
    assert not list(tmp_path.iterdir())


def test_nci1_is_split_as_published(tu_root, tmp_path):
    """The number of nodes as score, measured with the released code's split: 0.6814 on test, 0.6900 on validation."""
    real = load_graphs("tu:NCI1", home=tmp_path, data_root=tu_root / "tu")
    parts = (real.train, real.validation, real.test)
    assert sum(len(part.node_features) for part in parts) / sum(map(len, parts)) == pytest.approx(29.87, abs=0.005)
    assert roc_auc_score(real.test.y, real.test.node_counts) == pytest.approx(0.6814, abs=5e-5)
    assert roc_auc_score(real.validation.y, real.validation.node_counts) == pytest.approx(0.6900, abs=5e-5)


def test_the_archives_own_layout_is_read_and_nothing_is_written(tmp_path):
    write_tu(tmp_path / "data" / "SMALL", "SMALL", **triangles_and_paths())
    before = sorted(tmp_path.rglob("*"))
    real = load_graphs("tu:SMALL", home=tmp_path / "home", data_root=tmp_path / "data")
    assert real.class_names == ("-1", "1") and real.node_cardinalities == (2,)
    assert real.notes == ("1 of 2 classes have no validation graph",)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_left_out_is_said(tmp_path):
    attributes = {"node_attributes": ["0.5"] * 60, "edge_attributes": ["0.1"] * 100}
    write_tu(tmp_path / "BOTH" / "raw", "BOTH", **triangles_and_paths(**attributes))
    notes = load_graphs("tu:BOTH", home=tmp_path, data_root=tmp_path).notes
    assert len(notes) == 3 and "node attributes" in notes[0] and "edge attributes" in notes[1]
    write_tu(tmp_path / "NONE" / "raw", "NONE", **triangles_and_paths(node_labels=None))
    assert "degree" in load_graphs("tu:NONE", home=tmp_path, data_root=tmp_path).notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"node_labels": None, "node_attributes": ["0.5"] * 60}, "continuous attributes and no labels"),
        ({"classes": None}, "have no classes"),
        ({"classes": None, "graph_attributes": ["0.5"] * 20}, "have no classes"),
        ({"classes": [1] * 19}, "names graphs 1 to 20, and 19 have a class"),
        ({"classes": ["1, 0"] * 20}, "2 columns, expected 1"),
        ({"classes": ["yes"] * 20}, "graph_labels.txt is damaged"),
        ({"classes": [1] * 20}, "of one class"),
        ({"node_labels": [1] * 59}, "59 rows, expected 60"),
        ({"node_labels": ["1.5"] * 60}, "expected integers, found fractions"),
        ({"node_labels": ["nan"] * 60}, "finite"),
        ({"edges": [(1, 61)]}, "names nodes 1 to 61, and there are 60"),
        ({"edges": [(0, 1)]}, "names nodes 0 to 1"),
        ({"edges": [(1, 60)]}, "joins nodes of two graphs"),
        ({"edge_labels": [1]}, "1 rows, expected"),
        ({"indicator": list(range(20, 0, -1)) * 3}, "must follow one another"),
        ({"indicator": []}, "graph_indicator.txt is damaged"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_with_a_way_out(tmp_path, change, message):
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **triangles_and_paths(**change))
    with pytest.raises(UserError, match=message) as caught:
        load_graphs("tu:SMALL", home=tmp_path / "home", data_root=tmp_path, where="g.yaml, line 2: dataset")
    assert "g.yaml, line 2" in str(caught.value) and caught.value.fix


def test_a_file_that_is_missing_is_named(tmp_path):
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **triangles_and_paths())
    (tmp_path / "SMALL" / "raw" / "SMALL_A.txt").unlink()
    with pytest.raises(UserError, match="SMALL_A.txt is missing"):
        load_graphs("tu:SMALL", home=tmp_path / "home", data_root=tmp_path)


def test_a_set_that_is_nowhere_is_downloaded_under_home_once(tmp_path, monkeypatch):
    write_tu(tmp_path / "texts", "SMALL", **triangles_and_paths())
    (tmp_path / "texts" / "SMALL_model.pt").write_bytes(b"not a text")
    archive = zipped(tmp_path / "SMALL.zip", tmp_path / "texts", "SMALL")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("SMALL/../../escaped.txt", "outside")
    monkeypatch.setattr(tu, "URL", tmp_path.as_uri())
    home = tmp_path / "home"
    first = load_graphs("tu:SMALL", home=home, quiet=True)
    archive.unlink()
    assert load_graphs("tu:SMALL", home=home).fingerprint == first.fingerprint
    assert {file.suffix for file in home.rglob("*") if file.is_file()} == {".txt"}
    assert not list(tmp_path.rglob("escaped.txt"))
    assert [folder.name for folder in (home / "downloads" / "tu" / "SMALL").iterdir()] == ["raw"]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_download_that_is_no_archive_leaves_nothing(tmp_path, monkeypatch, content):
    (tmp_path / "SMALL.zip").write_bytes(content)
    monkeypatch.setattr(tu, "URL", tmp_path.as_uri())
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        load_graphs("tu:SMALL", home=tmp_path / "home", quiet=True)
    assert "--data-root" in caught.value.fix
    assert not [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
