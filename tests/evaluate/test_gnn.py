"""Graph networks on plain graphs are the ordinary stacks of PyTorch Geometric."""

import subprocess
import sys

import pytest
import torch
from helpers.gnn_makers import CARDINALITIES, encoded, network, pyg_convolution, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch
from torch_geometric.nn import global_add_pool, global_mean_pool

from ddbench.errors import UserError
from ddbench.graphs.message_passing import of_distinct_trees, of_graphs
from ddbench.graphs.networks import GRAPH_NETWORKS, build_gnn, canonical_graph_network

NAMES = list(GRAPH_NETWORKS)
SHAPE = {"node_cardinalities": CARDINALITIES, "classes": 2}


def ordinary(ours, name, graphs):
    """Logits of the stack that anyone would write with PyTorch Geometric: its own normalization and self-loops."""
    family, readout = name.split("-")
    batch = Batch.from_data_list(graphs.to_pyg())
    x = encoded(ours, batch.x)
    for number, convolution in enumerate(ours.convolutions):
        x = pyg_convolution(convolution, family)(x.relu() if number else x, batch.edge_index)
    pool = {"sum": global_add_pool, "mean": global_mean_pool}[readout]
    return ours.classifier(pool(x, batch.batch, size=len(graphs)))


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 9999), layers=st.integers(1, 3), classes=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_equals_the_ordinary_stack(name, seed, layers, classes):
    graphs, ours = random_graphs(seed), network(name, layers=layers, classes=classes, seed=seed)
    wanted = ordinary(ours, name, graphs)
    assert wanted.abs().max() > 0 and wanted.shape == (4, classes)
    torch.testing.assert_close(ours(of_graphs(graphs, layers)), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_the_ordinary_stack(name):
    graphs, ours = random_graphs(5), network(name)
    wanted = torch.autograd.grad(ordinary(ours, name, graphs)[:, 0].square().sum(), ours.encoder.columns[0].weight)
    found = torch.autograd.grad(ours(of_graphs(graphs, 2))[:, 0].square().sum(), ours.encoder.columns[0].weight)
    assert wanted[0].abs().max() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 9999), layers=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_distinct_trees_give_the_same_logits(name, seed, layers):
    graphs, ours = random_graphs(seed, 8), network(name, layers=layers, seed=seed)
    shared = of_distinct_trees(graphs, layers)
    torch.testing.assert_close(ours(shared), ours(of_graphs(graphs, layers)), rtol=1e-10, atol=1e-10)
    assert len(shared.features) < len(graphs.node_features)


def test_one_column_is_a_linear_map_of_one_hot_rows():
    ours = network("gcn-sum", cardinalities=(4,))
    codes = torch.tensor([[3], [0], [3]])
    one_hot = torch.nn.functional.one_hot(codes[:, 0], 4).double()
    torch.testing.assert_close(ours.encoder(codes), one_hot @ ours.encoder.columns[0].weight)


def test_graphs_without_nodes_are_classified_too():
    graphs = random_graphs(1)
    empty = torch.tensor([0, *graphs.node_ptr.tolist()])
    more = type(graphs)(**{**graphs.tensors(), "node_ptr": empty, "y": torch.zeros(5, dtype=torch.int64)})
    for name in ("gcn-sum", "gcn-mean"):
        logits = network(name)(of_graphs(more, 2))
        torch.testing.assert_close(logits[0], network(name).classifier.bias)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_the_same_bits_and_global_randomness_is_left_alone(name):
    before = torch.random.get_rng_state()
    first, again, other = (build_gnn(name, seed=seed, **SHAPE).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_shape_of_the_default_network():
    made = build_gnn("gin-mean", seed=0, **SHAPE)
    assert made.training and len(made.convolutions) == 2 and made.mean
    assert made.classifier.weight.shape == (2, 64) and made.dropout.p == 0.2
    assert made.convolutions[0].conv.eps.requires_grad


def test_names():
    assert set(NAMES) == {f"{family}-{readout}" for family in ("gcn", "gat", "gin") for readout in ("sum", "mean")}
    assert canonical_graph_network("GCN-Mean") == "gcn-mean"
    with pytest.raises(UserError, match="did you mean 'gcn-sum'") as found:
        canonical_graph_network("gcn_sum", "recipe.yaml, line 3")
    assert "recipe.yaml, line 3" in str(found.value) and "gat-mean" in str(found.value)


def test_names_are_had_without_tensors():
    """A listing of networks and protocols answers at once."""
    modules = "ddbench.graphs.networks, ddbench.evaluate.graphs.protocols"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'torch_geometric' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"hidden": 0}, {"classes": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_numbers_that_make_no_network(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        build_gnn("gcn-sum", **{**SHAPE, "seed": 0, **wrong})


def test_as_many_layers_as_computed():
    with pytest.raises(ValueError, match="zip"):
        network("gcn-sum", layers=2)(of_graphs(random_graphs(0), 3))


def test_moved_layers_stay_one_object(device):
    moved = of_graphs(random_graphs(0), 3).to(device)
    assert len({id(layer) for layer in moved.layers}) == 1 and moved.features.device.type == device.type
