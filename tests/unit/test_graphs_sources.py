"""Names of graph sets, the embedded set, PyG datasets by their path, and the split where none is official."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ddbench.data import check_dataset_name, dataset_table, load_dataset
from ddbench.data.sources import find_source
from ddbench.errors import UserError
from ddbench.graphs.load import load_graphs
from ddbench.graphs.splits import shuffled_split, split_in_words


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("motifs", "motifs"),
        ("tu:NCI1", "tu-NCI1"),
        ("tu:IMDB-BINARY", "tu-IMDB-BINARY"),
        ("ogb:molhiv", "ogb-molhiv"),
        ("ogb:ogbg-molhiv", "ogb-molhiv"),
        ("pyg:torch_geometric.datasets:FakeDataset", "pyg-FakeDataset"),
    ],
)
def test_names_of_graph_sets(name, short):
    check_dataset_name(name)
    found = find_source(name)
    assert found.source.domain == "graphs" and found.short == short
    assert find_source("digits").source.domain == "images"


@pytest.mark.parametrize("name", ["tu:", "tu:../NCI1", "tu:a/b", "ogb:a.b", "pyg:module", "pyg:a:b:c", "pyg:a-b:c"])
def test_what_has_not_the_form_of_a_name_is_refused(name):
    with pytest.raises(UserError, match="after its colon|does not name a set of graphs") as caught:
        check_dataset_name(name, "g.yaml, line 2: dataset")
    assert name.partition(":")[0] in caught.value.fix


def test_the_table_lists_them():
    assert {"motifs", "tu:NAME", "ogb:NAME", "pyg:MODULE:CALLABLE"} <= {row["name"] for row in dataset_table()}


def test_graphs_are_no_images_and_images_no_graphs(tmp_path):
    with pytest.raises(UserError, match="NCI1 is a set of graphs, and images are wanted"):
        load_dataset("tu:NCI1", home=tmp_path)
    with pytest.raises(UserError, match="digits is a set of images, and graphs are wanted"):
        load_graphs("digits", home=tmp_path)


@given(st.integers(4, 5000), st.integers(0, 50), st.integers(0, 99))
def test_the_split_is_the_published_rule(count, percent, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        order = torch.randperm(count)
        before = torch.get_rng_state()
        train, validation, test = shuffled_split(count, percent / 100, seed)
        assert torch.equal(torch.get_rng_state(), before)
    tested, validated = -(-count // 10), -(-count * percent // 100)
    assert torch.equal(test, order[:tested])
    assert torch.equal(validation, order[tested : tested + validated])
    assert torch.equal(train, order[tested + validated :])


@pytest.mark.parametrize("validation", [-0.1, 1.0, float("nan"), 0.99])
def test_a_fraction_that_leaves_nothing_is_refused(validation):
    with pytest.raises(UserError, match="out of range|none is left"):
        shuffled_split(20, validation, 0)


def test_the_split_in_words():
    assert split_in_words(0.1, 0) == "shuffled with seed 0: ceil(N/10) test, ceil(N/10) validation, the rest training"
    assert "ceil(0.25 N) validation" in split_in_words(0.25, 3)


def test_motifs_are_the_same_everywhere(tmp_path):
    real = load_graphs("motifs", home=tmp_path)
    assert (len(real.train), len(real.validation), len(real.test)) == (480, 60, 60)
    assert (real.class_names, real.node_cardinalities, real.edge_cardinalities) == (("house", "cycle"), (3,), ())
    assert real.fingerprint == "48580bb0756da0c1"
    assert load_graphs("motifs", home=tmp_path, seed=1).fingerprint != real.fingerprint
    assert not list(tmp_path.iterdir())


def test_motifs_are_what_they_are_said_to_be(tmp_path):
    real = load_graphs("motifs", home=tmp_path)
    for part in (real.train, real.validation, real.test):
        assert torch.equal(part.edge_counts, 2 * (part.node_counts + 1))
        assert 15 <= int(part.node_counts.min()) <= int(part.node_counts.max()) <= 25
        for g, graph in enumerate(part.to_pyg()):
            assert graph.is_undirected() and not graph.has_self_loops()
            assert len(graph.edge_index.unique(dim=1)[0]) == graph.num_edges
            ring = graph.num_nodes - 5 + torch.arange(5)
            inside = torch.isin(graph.edge_index, ring).all(0).sum()
            assert int(inside) == (12 if part.y[g] == 0 else 10)


def test_size_and_labels_do_not_give_the_motif_away(tmp_path):
    real = load_graphs("motifs", home=tmp_path)
    for part in (real.train, real.validation, real.test):
        assert roc_auc_score(part.y, part.node_counts) == pytest.approx(0.5, abs=0.02)
        assert roc_auc_score(part.y, part.edge_counts) == pytest.approx(0.5, abs=0.02)

    def histogram(part):
        counts = torch.zeros(len(part), 3)
        return counts.index_put_((part.graph_of_node, part.node_features[:, 0]), torch.ones(()), accumulate=True)

    fitted = LogisticRegression().fit(histogram(real.train), real.train.y)
    assert roc_auc_score(real.test.y, fitted.decision_function(histogram(real.test))) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_motifs_are_learnable_by_a_small_gin(tmp_path):
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import GIN, global_add_pool

    real = load_graphs("motifs", home=tmp_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.ModuleList([torch.nn.Embedding(3, 64), GIN(64, 64, 2), torch.nn.Linear(64, 2)])
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)

        def logits(batch):
            embedding, gin, linear = network
            return linear(global_add_pool(gin(embedding(batch.x[:, 0]), batch.edge_index), batch.batch))

        for _ in range(60):
            for batch in DataLoader(real.train.to_pyg(), 64, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(logits(batch), batch.y).backward()
                optimizer.step()
        (batch,) = DataLoader(real.test.to_pyg(), 60)
        assert roc_auc_score(batch.y, logits(batch).detach().diff(dim=1)[:, 0]) > 0.9


def test_require_ipc_names_the_class_that_is_too_small(tmp_path):
    real = load_graphs("motifs", home=tmp_path)
    real.require_ipc(239)
    with pytest.raises(UserError, match="ipc 240 is larger than a class") as caught:
        real.require_ipc(240, "g.yaml, line 3: ipc")
    assert "class 'cycle' of motifs has 239 training graphs" in caught.value.facts
    assert "from  g.yaml, line 3: ipc" in caught.value.facts


def test_the_embedded_set_is_loaded_without_pyg(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ddbench.graphs.load import load_graphs;"
        f"load_graphs('motifs', home=Path({str(tmp_path)!r})); sys.exit('torch_geometric' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
