"""Networks on shared subtrees: equal to those on written-out trees, and to those on the graphs the trees are from."""

import pytest
import torch
from helpers.gnn_makers import encoded, network, pyg_convolution, random_graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch
from torch_geometric.nn import GCNConv

from ddbench.errors import UserError
from ddbench.graphs.forests import build_forests
from ddbench.graphs.message_passing import of_forests, of_graphs, of_payload
from ddbench.graphs.networks import GRAPH_NETWORKS
from ddbench.graphs.refine import refine

NAMES = list(GRAPH_NETWORKS)
SUMS = [name for name in NAMES if name.endswith("sum")]
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def forests_of(seed, hops, count=4):
    """Every tree of some graphs as an item of its own, and three items of several trees; graphs and refinement too."""
    graphs = random_graphs(seed, count)
    found = refine(graphs, hops)
    trees = range(found.counts[-1])
    items = [[tree] for tree in trees] + [list(trees), list(trees)[::2], list(trees)[-2:]]
    return build_forests(graphs, found, items), graphs, found


def unfolded(ours, name, forests):
    """Logits of the written-out trees, as one ordinary PyG graph with a root mask and true degrees."""
    family, readout = name.split("-")
    batch = Batch.from_data_list(forests.to_pyg())
    nodes = torch.arange(batch.num_nodes).repeat(2, 1)
    looped = torch.cat([batch.edge_index, nodes], 1)
    scale = (batch.degree + 1).double().rsqrt()
    x = encoded(ours, batch.x)
    for number, convolution in enumerate(ours.convolutions):
        x = x.relu() if number else x
        if family == "gcn":
            layer = GCNConv(5, 5, normalize=False).double()
            layer.load_state_dict(convolution.conv.state_dict())
            x = layer(x, looped, scale[looped[0]] * scale[looped[1]])
        else:
            x = pyg_convolution(convolution, family)(x, batch.edge_index)
    sums = torch.zeros(len(forests), 5).double().index_add(0, batch.batch[batch.root_mask], x[batch.root_mask])
    counts = torch.bincount(batch.batch[batch.root_mask])[:, None]
    return ours.classifier(sums / counts if readout == "mean" else sums)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 9999), hops=st.integers(1, 3), fewer=st.integers(0, 2))
@settings(max_examples=8, deadline=None)
def test_shared_subtrees_equal_written_out_trees(name, seed, hops, fewer):
    forests, _, _ = forests_of(seed, hops)
    layers = max(1, hops - fewer)
    ours = network(name, layers=layers, seed=seed)
    wanted = unfolded(ours, name, forests)
    assert wanted.abs().max() > 0
    torch.testing.assert_close(ours(of_forests(forests, layers)), wanted, **CLOSE)


@pytest.mark.parametrize("name", SUMS)
@given(seed=st.integers(0, 9999), hops=st.integers(1, 3), fewer=st.integers(0, 1))
@settings(max_examples=8, deadline=None)
def test_a_root_is_embedded_as_the_nodes_of_which_it_is_the_tree(name, seed, hops, fewer):
    forests, graphs, found = forests_of(seed, hops)
    layers = max(1, hops - fewer)
    ours = network(name, layers=layers, seed=seed)
    by_tree = ours.embed(of_forests(forests, layers))[: found.counts[-1]]
    by_node = ours.embed(of_graphs(graphs, layers))
    ids = torch.from_numpy(found.ids[-1])
    if name.startswith("gcn"):
        stored = _nodes_of_the_stored_variant(graphs, hops, ids)
        by_node, ids = by_node[stored], ids[stored]
    assert len(ids) >= found.counts[-1]
    torch.testing.assert_close(by_node, by_tree[ids], **CLOSE)


def _nodes_of_the_stored_variant(graphs, hops, ids):
    """Nodes whose tree with degrees is the most frequent one of their tree, the first of equals; counted one by one."""
    detailed = refine(graphs, hops, with_degrees=True).ids[-1].tolist()
    nodes = []
    for tree in range(int(ids.max()) + 1):
        variants = [detailed[node] for node in (ids == tree).nonzero()[:, 0].tolist()]
        stored = max(dict.fromkeys(variants), key=variants.count)
        nodes += [node for node in range(len(ids)) if detailed[node] == stored]
    return torch.tensor(nodes)


@pytest.mark.parametrize("name", SUMS)
def test_all_trees_of_a_graph_are_the_graph(name):
    """With a graph's distinct trees as an item, a sum over distinct nodes; one graph, so that degrees are its own."""
    graphs = random_graphs(11, 1, least=7, most=7)
    found, detailed = refine(graphs, 2), refine(graphs, 2, with_degrees=True)
    assert found.counts[-1] == detailed.counts[-1] > 2
    ours = network(name)
    first = [found.ids[-1].tolist().index(tree) for tree in range(found.counts[-1])]
    nodes = ours.embed(of_graphs(graphs, 2))
    forests = build_forests(graphs, found, [range(found.counts[-1])])
    torch.testing.assert_close(ours(of_forests(forests, 2))[0], ours.classifier(nodes[first].sum(0)), **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_on_shared_subtrees(name):
    forests, _, _ = forests_of(3, 2)
    ours = network(name)
    weights = torch.randn(len(forests), 1, generator=torch.Generator().manual_seed(1)).double()
    wanted, found = (
        torch.autograd.grad((logits * weights).square().sum(), list(ours.encoder.parameters()))
        for logits in (unfolded(ours, name, forests), ours(of_forests(forests, 2)))
    )
    assert all(gradient.abs().max() > 0 for gradient in wanted)
    torch.testing.assert_close(found, wanted, **CLOSE)


def test_each_distinct_subtree_is_computed_once():
    forests, _, found = forests_of(2, 2, count=12)
    lowest = of_forests(forests, 2)
    assert len(lowest.layers[-1].own) == found.counts[-1] < len(forests.roots)
    assert len(lowest.features) < int(forests.unfolded_nodes.sum()) / 10
    assert lowest.items == len(forests) and lowest.layers[0].size[1] == lowest.layers[1].size[0]


def test_network_that_looks_further_than_the_trees():
    forests, _, _ = forests_of(0, 2)
    with pytest.raises(UserError, match="3 layers looks further than computation trees of 2 hops") as found:
        of_payload(forests, 3)
    assert "hops: 3" in str(found.value)
