"""PyG datasets and functions by their Python path."""

import pytest
import torch

from ddbench.errors import UserError
from ddbench.graphs.load import load_graphs

MODULE = """
import torch
from torch_geometric.data import Data, InMemoryDataset

EDGE = torch.tensor([[0, 1], [1, 0]])


def graph(g, **change):
    y = torch.tensor([3 if g % 2 else -1])
    return Data(**{"x": torch.tensor([[g % 3], [1]]), "edge_index": EDGE, "y": y, **change})


def graphs():
    return [graph(g) for g in range(20)]


def no_labels():
    return [graph(g, x=None, num_nodes=2) for g in range(20)]


def no_classes():
    return [graph(g, y=None) for g in range(20)]


def continuous():
    return [graph(g, x=torch.rand(2, 3)) for g in range(20)]


def texts():
    return ["a graph", "another"]


def nothing():
    return []


def wants_more(root, name):
    return []


def fails():
    raise RuntimeError("the server is away")


class Kept(InMemoryDataset):
    def __init__(self, root):
        super().__init__(root)
        self.load(self.processed_paths[0])

    processed_file_names = ["data.pt"]

    def process(self):
        self.save(graphs(), self.processed_paths[0])


number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "some_graphs.py").write_text(MODULE)
    (tmp_path / "broken_graphs.py").write_text("raise ValueError('half written')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "some_graphs", raising=False)


def test_a_function_gives_the_graphs(tmp_path):
    real = load_graphs("pyg:some_graphs:graphs", home=tmp_path)
    assert (real.name, real.class_names, real.node_cardinalities) == ("pyg-graphs", ("-1", "3"), (3,))
    assert (len(real.train), len(real.validation), len(real.test)) == (16, 2, 2)
    assert torch.cat([real.train.y, real.validation.y, real.test.y]).bincount().tolist() == [10, 10]


def test_a_dataset_is_kept_under_home(tmp_path):
    kept = load_graphs("pyg:some_graphs:Kept", home=tmp_path / "home")
    plain = load_graphs("pyg:some_graphs:graphs", home=tmp_path / "home")
    assert all(torch.equal(kept.train.tensors()[name], value) for name, value in plain.train.tensors().items())
    assert (tmp_path / "home" / "downloads" / "pyg" / "some_graphs.Kept" / "processed").is_dir()
    assert kept.fingerprint != plain.fingerprint


def test_without_labels_of_nodes_the_degree_is_said_to_be_the_label(tmp_path):
    real = load_graphs("pyg:some_graphs:no_labels", home=tmp_path)
    assert real.node_cardinalities == (2,) and "degree" in real.notes[0]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:graphs", "no module 'no_such_module'"),
        ("broken_graphs:graphs", "could not be imported(.|\n)*half written"),
        ("some_graphs:graps", "did you mean 'graphs'"),
        ("some_graphs:number", "is int, and cannot be called"),
        ("some_graphs:wants_more", "wants to be told more(.|\n)*name"),
        ("some_graphs:fails", "could not be loaded(.|\n)*the server is away"),
        ("some_graphs:texts", "item 0 is not a graph"),
        ("some_graphs:nothing", "gives no graphs with classes"),
        ("some_graphs:no_classes", "gives no graphs with classes"),
        ("some_graphs:continuous", "continuous"),
        ("torch_geometric.datasets:KarateClub", "graph 0 has no class"),
    ],
)
def test_what_gives_no_labeled_graphs_is_refused_with_a_way_out(tmp_path, path, message):
    with pytest.raises(UserError, match=message) as caught:
        load_graphs(f"pyg:{path}", home=tmp_path / "home", where="g.yaml, line 2: dataset")
    assert "g.yaml, line 2" in str(caught.value) and caught.value.fix
