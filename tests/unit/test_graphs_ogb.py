"""Sets of the Open Graph Benchmark: their published layout, official splits, and what is not for one class a graph."""

import subprocess
import sys

import pytest
import torch
from helpers.graph_files import write_ogb, zipped

from ddbench.data.known_sets import KNOWN_GRAPHS
from ddbench.data.rawdata import Request
from ddbench.errors import UserError
from ddbench.graphs import ogb_sets
from ddbench.graphs.load import load_graphs

pytest.importorskip("ogb")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setitem(KNOWN_GRAPHS, "ogb-molhiv", (2, 12))
    write_ogb(tmp_path / "ogbg_molhiv")
    return tmp_path


def test_the_split_is_the_official_one_whatever_the_seed(root):
    real = load_graphs("ogb:molhiv", home=root / "home", data_root=root, seed=0)
    other = load_graphs("ogb:ogbg-molhiv", home=root / "home", data_root=root, seed=7, validation=0.5)
    assert real.fingerprint == other.fingerprint
    assert (real.name, real.split, real.metric) == ("ogb-molhiv", "official scaffold split", "roc-auc")
    assert real.train.y.tolist() == [0, 1] * 4
    assert real.validation.node_counts.tolist() == [3, 2] and real.test.node_counts.tolist() == [3, 2]
    assert real.node_cardinalities == (8, 2, 1, 2, 3, 4, 5, 6, 7) and real.edge_cardinalities == (2, 1, 2)
    assert not (root / "home").exists()


def test_graphs_are_those_of_the_librarys_own_reader(root):
    from ogb.io.read_graph_raw import read_csv_graph_raw

    want = read_csv_graph_raw(str(root / "ogbg_molhiv" / "raw"), add_inverse_edge=True)
    graphs = ogb_sets.load(Request(what="molhiv", data_root=root, home=root)).graphs
    for got, graph in zip(graphs.to_pyg(), want, strict=True):
        assert torch.equal(got.x, torch.from_numpy(graph["node_feat"]))
        assert torch.equal(got.edge_index, torch.from_numpy(graph["edge_index"]))
        assert torch.equal(got.edge_attr, torch.from_numpy(graph["edge_feat"]))


def test_reading_runs_neither_the_library_nor_pyg(root):
    code = (
        "import sys; from pathlib import Path; from ddbench.graphs.load import load_graphs;"
        "from ddbench.data.known_sets import KNOWN_GRAPHS; KNOWN_GRAPHS['ogb-molhiv'] = (2, 12);"
        f"root = Path({str(root)!r}); load_graphs('ogb:molhiv', home=root, data_root=root);"
        "sys.exit(any(name in sys.modules for name in ('ogb', 'outdated', 'torch_geometric', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_set_that_is_nowhere_is_downloaded_and_only_its_tables_are_kept(root, monkeypatch):
    (root / "ogbg_molhiv" / "processed").mkdir()
    (root / "ogbg_molhiv" / "processed" / "geometric_data_processed.pt").write_bytes(b"a pickle")
    archive = zipped(root / "hiv.zip", root / "ogbg_molhiv", "hiv")
    facts = ogb_sets._facts(Request(what="molhiv", data_root=root, home=root))
    monkeypatch.setattr(ogb_sets, "_facts", lambda request: {**facts, "url": archive.as_uri()})
    home = root / "home"
    assert len(load_graphs("ogb:molhiv", home=home, quiet=True).train) == 8
    archive.unlink()
    assert len(load_graphs("ogb:molhiv", home=home).train) == 8
    assert not list(home.rglob("*.pt"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moltox21", "12 tasks"),
        ("molpcba", "128 tasks"),
        ("molesol", "its task is regression"),
        ("code2", "its task is subtoken prediction"),
        ("molhvi", "did you mean 'ogb:molhiv'"),
    ],
)
def test_other_tasks_and_unknown_names_are_refused_before_anything_is_downloaded(tmp_path, name, message):
    with pytest.raises(UserError, match=message) as caught:
        load_graphs(f"ogb:{name}", home=tmp_path, where="g.yaml, line 2: dataset")
    assert "g.yaml, line 2" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_the_library_its_installation_is_named(root, monkeypatch):
    monkeypatch.setattr(ogb_sets, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the library 'ogb'") as caught:
        load_graphs("ogb:molhiv", home=root, data_root=root)
    assert caught.value.fix == 'pip install "ddbench[ogb]"'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"raw/edge": None}, "edge.csv.gz is missing"),
        ({"raw/num-node-list": [[-1]] * 12}, "a count is below 0"),
        ({"raw/edge": [[0, 1]]}, "1 rows, expected 18"),
        ({"raw/edge": [[0, 9]] * 18}, "a node that its graph does not have"),
        ({"raw/node-feat": [[1] * 9]}, "1 rows, expected 30"),
        ({"raw/node-feat": [[0.5] * 9] * 30}, "continuous"),
        ({"raw/graph-label": [[2]] * 12}, "classes are not 0 to 1"),
        ({"raw/graph-label": [["nan"]] * 12}, "finite"),
        ({"split/scaffold/valid": [[0], [1]]}, "each of 12 graphs once"),
    ],
)
def test_damaged_files_are_named(tmp_path, change, message):
    write_ogb(tmp_path / "ogbg_molhiv", **change)
    with pytest.raises(UserError, match=message):
        load_graphs("ogb:molhiv", home=tmp_path, data_root=tmp_path)


def test_a_file_cut_short_is_damaged(root):
    path = root / "ogbg_molhiv" / "raw" / "edge.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(UserError, match=r"edge\.csv\.gz is damaged"):
        load_graphs("ogb:molhiv", home=root, data_root=root)
