"""Computation trees on their own: what a network sees in them is what it sees in the graphs they come from."""

from itertools import combinations

import numpy as np
import pytest
import torch
from helpers.tree_makers import first_most_frequent, graphs_of, labeled_graphs, published, size_of, written_out
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GCNConv

from ddbench.errors import UserError
from ddbench.graphs.forests import build_forests, forests_from
from ddbench.graphs.refine import refine

often = settings(max_examples=80, deadline=None)
WIDTH = 4


def forests_of_all_trees(graphs, hops):
    """One item for every tree that occurs, and one that has them all."""
    refinement = refine(graphs, hops)
    every = list(range(refinement.counts[-1]))
    return refinement, build_forests(graphs, refinement, [[id] for id in every] + [every])


def nodes_of_variants(graphs, refinement):
    """For each tree one node that has it with the degrees that most nodes give it, found on trees written out."""
    detailed = written_out(graphs, refinement.hops, degrees=True)
    ids = refinement.ids[-1].tolist()
    wanted = [
        first_most_frequent([tree for id, tree in zip(ids, detailed, strict=True) if id == wanted])
        for wanted in range(refinement.counts[-1])
    ]
    return [detailed.index(tree) for tree in wanted]


class SomeNetwork:
    """Layers of tanh(own W + sum over neighbors of weight * (neighbor V + code of the edge)), drawn from a seed."""

    def __init__(self, layers, columns, edge_columns, *, by_degree):
        generator = torch.Generator().manual_seed(7)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.inward, self.edge = draw(columns, WIDTH), draw(edge_columns, WIDTH)
        self.layers = [(draw(WIDTH, WIDTH), draw(WIDTH, WIDTH)) for _ in range(layers)]
        self.by_degree = by_degree

    def begin(self, codes):
        return torch.tanh(codes.double() @ self.inward + 1)

    def step(self, layer, own, below, source, target, edges, degrees):
        """degrees: of the entries below, and of those above."""
        mine, theirs = self.layers[layer]
        weight = torch.ones(len(source), 1, dtype=torch.float64)
        if self.by_degree:
            weight = ((degrees[0][source] + 1) * (degrees[1][target] + 1)).double().rsqrt()[:, None]
        messages = weight * (below[source] @ theirs + edges.double() @ self.edge)
        return torch.tanh(own @ mine + torch.zeros_like(own).index_add(0, target, messages))

    def of_graph(self, features, edge_index, edges, degree):
        hidden = self.begin(features)
        for layer in range(len(self.layers)):
            hidden = self.step(layer, hidden, hidden, *edge_index, edges, (degree, degree))
        return hidden

    def of_levels(self, levels):
        hidden = self.begin(levels[0].features)
        for layer, (lower, level) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
            degrees = (lower.degree, level.degree)
            hidden = self.step(
                layer, hidden[level.own], hidden, level.source, level.target, level.edge_features, degrees
            )
        return hidden


@often
@given(labeled_graphs(), st.integers(0, 3), st.booleans())
def test_roots_are_embedded_as_the_nodes_they_stand_for(graphs, hops, by_degree):
    refinement, forests = forests_of_all_trees(graphs, hops)
    network = SomeNetwork(hops, graphs.node_features.shape[1], graphs.edge_features.shape[1], by_degree=by_degree)
    nodes = network.of_graph(graphs.node_features, graphs.edge_index, graphs.edge_features, graphs.degree)
    shared = network.of_levels(forests.completed())[forests.roots]
    wanted = nodes[nodes_of_variants(graphs, refinement)]
    assert wanted.abs().max() > 0
    torch.testing.assert_close(shared[: refinement.counts[-1]], wanted, rtol=1e-10, atol=1e-12)
    for item, data in enumerate(forests.to_pyg()):
        edges = data.edge_attr if data.edge_attr is not None else torch.zeros(data.num_edges, 0)
        assert (data.edge_attr is None) == (graphs.edge_features.shape[1] == 0)
        alone = network.of_graph(data.x, data.edge_index, edges, data.degree)[data.root_mask]
        torch.testing.assert_close(alone, shared[forests.item_of_root == item], rtol=1e-10, atol=1e-12)
    if not by_degree:
        torch.testing.assert_close(nodes, wanted[refinement.ids[-1]], rtol=1e-10, atol=1e-12)


def test_pygs_gcn_sees_the_same_in_nci1_as_in_trees_written_out():
    train = published("NCI1").train.subset(torch.arange(60))
    refinement, forests = forests_of_all_trees(train, 2)
    ones = torch.eye(37, dtype=torch.float64)
    torch.manual_seed(0)
    first, second = GCNConv(37, 8).double(), GCNConv(8, 8).double()
    nodes = second(first(ones[train.node_features[:, 0]], train.edge_index).relu(), train.edge_index)
    wanted = nodes[nodes_of_variants(train, refinement)]
    data = forests.to_pyg()[-1]
    loops = torch.arange(data.num_nodes).repeat(2, 1)
    ends = torch.cat([data.edge_index, loops], 1)
    weight = ((data.degree[ends[0]] + 1) * (data.degree[ends[1]] + 1)).double().rsqrt()
    first.normalize, first.add_self_loops = second.normalize, second.add_self_loops = False, False
    found = second(first(ones[data.x[:, 0]], ends, weight).relu(), ends, weight)[data.root_mask]
    assert wanted.abs().max() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    tree_degree = torch.bincount(ends[1])  # what GCN sees where leaves have lost their neighbors
    weight = (tree_degree[ends[0]] * tree_degree[ends[1]]).double().rsqrt()
    lost = second(first(ones[data.x[:, 0]], ends, weight).relu(), ends, weight)[data.root_mask]
    assert (lost - wanted).abs().max() > 0.05


@often
@given(labeled_graphs(), st.integers(0, 3))
def test_to_pyg_writes_out_exactly_these_trees(graphs, hops):
    refinement, forests = forests_of_all_trees(graphs, hops)
    nodes = nodes_of_variants(graphs, refinement)
    detailed = written_out(graphs, hops, degrees=True)
    sizes = [size_of(detailed[node]) for node in nodes]
    assert forests.unfolded_nodes.tolist() == [*sizes, sum(sizes)]
    assert forests.unfolded_edges.tolist() == [*(size - 1 for size in sizes), sum(sizes) - len(sizes)]
    assert forests.unfolded_bytes == 2 * (2 * sum(sizes) * forests.columns + 4 * (sum(sizes) - len(sizes)))
    for data, node in zip(forests.to_pyg(), [*nodes, None], strict=True):
        incoming = [[] for _ in range(data.num_nodes)]
        codes = data.edge_attr.tolist() if data.edge_attr is not None else [()] * data.num_edges
        for (child, parent), code in zip(data.edge_index.T.tolist(), codes, strict=True):
            incoming[parent].append((tuple(code), child))

        def read(at, data=data, incoming=incoming):
            return (
                tuple(data.x[at].tolist()),
                int(data.degree[at]),
                tuple(sorted((c, read(n)) for c, n in incoming[at])),
            )

        roots = [read(at) for at in data.root_mask.nonzero().flatten().tolist()]
        assert sorted(roots) == sorted(detailed[each] for each in (nodes if node is None else [node]))


@often
@given(labeled_graphs(), st.integers(0, 3))
def test_a_file_gives_back_every_bit(graphs, hops):
    _, forests = forests_of_all_trees(graphs, hops)
    stored = forests.tensors()
    back = forests_from(stored)
    assert torch.equal(back.roots, forests.roots) and torch.equal(back.item_of_root, forests.item_of_root)
    for name, array in vars(forests.trees).items():
        if isinstance(array, np.ndarray):
            assert array.dtype == getattr(back.trees, name).dtype and (array == getattr(back.trees, name)).all(), name
    for found, wanted in zip(back.completed(), forests.completed(), strict=True):
        for name, tensor in vars(wanted).items():
            assert torch.equal(getattr(found, name), tensor), name
    assert all(tensor.dtype == torch.uint8 for tensor in stored.values())
    assert sum(forests.bytes.values()) == sum(tensor.numel() for tensor in stored.values())
    assert min(forests.bytes.values()) >= 0


@often
@given(labeled_graphs(), st.integers(0, 3))
def test_equal_subtrees_are_held_once_and_nothing_else_is(graphs, hops):
    """Level by level the entries are the different subtrees at that depth, with degrees and without them."""
    refinement, forests = forests_of_all_trees(graphs, hops)
    detailed = written_out(graphs, hops, degrees=True)
    roots = [detailed[node] for node in nodes_of_variants(graphs, refinement)]

    def bare(tree):
        return tree[0], tuple(sorted((code, bare(branch)) for code, branch in tree[2]))

    for trees, seen in ((forests.trees, lambda tree: tree), (forests.trees.without_degrees(), bare)):
        level = set(map(seen, roots))
        for size in reversed(trees.sizes.tolist()):
            assert size == len(level)
            level = {branch for tree in level for _, branch in tree[-1]}


def test_leaves_take_the_degrees_of_the_most_frequent_variant():
    """Three paths a-b-c seen from a: c has a further neighbor in two of them. On a tie the first one counts."""
    longer = ([(0,), (1,), (2,), (3,)], [(0, 1, ()), (1, 0, ()), (1, 2, ()), (2, 1, ()), (2, 3, ()), (3, 2, ())])
    shorter = ([(0,), (1,), (2,)], [(0, 1, ()), (1, 0, ()), (1, 2, ()), (2, 1, ())])
    for parts, degree in (([shorter, longer, longer], 2), ([shorter, longer], 1), ([longer, shorter], 2)):
        graphs = graphs_of(parts)
        refinement = refine(graphs, 2)
        (data,) = build_forests(graphs, refinement, [[refinement.ids[-1][0]]]).to_pyg()
        assert data.x[:, 0].tolist() == [0, 1, 0, 2] and data.degree.tolist() == [1, 2, 1, degree]


class TestPublishedSets:
    """What Mirage keeps of NCI1 and IMDB-BINARY, mined here by counting every set of frequent trees."""

    def test_nci1(self):
        forests, kept = mirage("NCI1", (440, 570))
        assert [len(items) for items in kept] == [2, 4]
        assert int(forests.unfolded_nodes.sum()) == 51 and int(forests.unfolded_edges.sum()) == 43
        assert forests.unfolded_bytes == 274
        trees = forests.trees.without_degrees()
        assert trees.sizes.tolist() == [3, 7, 8] and len(trees.children) == 31
        assert forests.bytes == {"trees": 67, "items": 14, "features": 3, "degrees": 18}

    def test_nci1_as_the_released_miner_sees_it(self):
        forests, kept = mirage("NCI1", (440, 570), missed=666)
        assert [len(items) for items in kept] == [2, 5]
        assert int(forests.unfolded_nodes.sum()) == 59 and int(forests.unfolded_edges.sum()) == 50
        assert forests.unfolded_bytes == 318

    def test_imdb_binary(self):
        forests, kept = mirage("IMDB-BINARY", (13, 14))
        assert [len(items) for items in kept] == [2, 8]
        assert forests.unfolded_bytes == 11_598 and sum(forests.bytes.values()) == 103


def mirage(name, thresholds, missed=None):
    """Frequent sets of trees of one class only, as items. missed: the support of a set of class 0 to overlook."""
    train = published(name).train
    refinement = refine(train, 2)
    ids, join_ranks, graph = refinement.ids[-1], train.degree.numpy() > 0, train.graph_of_node.numpy()
    found = []
    for label, least in enumerate(thresholds):
        mine = join_ranks & (train.y.numpy()[graph] == label)
        tree, times = np.unique(np.unique(np.stack([ids[mine], graph[mine]]), axis=1)[0], return_counts=True)
        graphs_with = {t: set(graph[mine & (ids == t)]) for t in tree[times >= least].tolist()}
        sets = {
            chosen: len(set.intersection(*(graphs_with[t] for t in chosen)))
            for size in range(1, 5)
            for chosen in combinations(sorted(graphs_with), size)
        }
        found.append({chosen: support for chosen, support in sets.items() if support >= least})
    found[0] = {chosen: support for chosen, support in found[0].items() if support != missed}
    shared = set(found[0]) & set(found[1])
    kept = [[chosen for chosen in sets if chosen not in shared] for sets in found]
    return build_forests(train, refinement, [*kept[0], *kept[1]]), kept


def test_trees_too_large_to_write_out_are_trained_on_all_the_same():
    full = graphs_of([([(0,)] * 8, [(a, b, ()) for a in range(8) for b in range(8) if a != b])])
    forests = build_forests(full, refine(full, 20), [[0]])
    assert forests.unfolded_nodes.item() > 2**53 - 1 and sum(forests.bytes.values()) < 200
    assert [len(level.features) for level in forests.completed()] == [1] * 21
    with pytest.raises(UserError, match="written out") as refused:
        forests.to_pyg()
    assert "shared trees" in refused.value.fix


def test_what_build_forests_refuses():
    graphs = graphs_of([([(0,), (1,)], [(0, 1, ()), (1, 0, ())])])
    refinement = refine(graphs, 1)
    for items, why in (([], "every item"), ([[]], "every item"), ([[0], [2]], "ids 0 to 2"), ([[-1]], "ids -1")):
        with pytest.raises(ValueError, match=why):
            build_forests(graphs, refinement, items)
    with pytest.raises(ValueError, match="other graphs"):
        build_forests(graphs_of([([(0,)], [])]), refinement, [[0]])


@often
@given(labeled_graphs(columns=1), st.data())
def test_a_strangers_tensors_are_forests_or_a_value_error(graphs, data):
    """Whatever is changed, what comes out is whole: it can be evaluated, measured and written out."""
    _, forests = forests_of_all_trees(graphs, data.draw(st.integers(0, 2)))
    stored = forests.tensors()
    name = data.draw(st.sampled_from(sorted(stored)))
    changed = stored[name].clone().reshape(-1)
    kind = data.draw(st.sampled_from(["drop", "dtype", "shape", "length", "value"]))
    assume(kind != "value" or len(changed))
    if kind == "drop":
        del stored[name]
    elif kind == "dtype":
        stored[name] = stored[name].to(data.draw(st.sampled_from([torch.float32, torch.int64, torch.bool])))
    elif kind == "shape":
        stored[name] = stored[name][None]
    elif kind == "length":
        rows = stored[name]
        stored[name] = torch.cat([rows, rows[:1], rows.new_zeros(data.draw(st.integers(0, 1)), *rows.shape[1:])])
    else:
        changed = changed.to(torch.uint32).clone()
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.sampled_from([0, 1, 2, 7, 255, 2**32 - 1]))
        stored[name] = changed.reshape(stored[name].shape)
    try:
        back = forests_from(stored)
    except ValueError:
        return
    assert len(back.to_pyg()) == len(back) == len(back.unfolded_nodes)
    assert sum(back.bytes.values()) > 0
    network = SomeNetwork(back.hops, back.columns, back.trees.edge_labels.shape[1], by_degree=True)
    assert network.of_levels(back.completed())[back.roots].isfinite().all()


def test_a_count_that_would_fill_the_memory_is_refused():
    graphs = graphs_of([([(0,)] * 8, [(a, b, ()) for a in range(8) for b in range(8) if a != b])])
    stored = build_forests(graphs, refine(graphs, 2), [[0]]).tensors()
    assert "repeats" in stored
    stored["repeats"] = torch.tensor([2**32 - 1, 7], dtype=torch.uint32)
    with pytest.raises(ValueError, match="too many"):
        forests_from(stored)
