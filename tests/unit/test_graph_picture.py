"""Pictures of synthetic graphs: what is drawn of graphs and of forests, what is left out, and that it is said."""

import io

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddbench.figures import graph_layout as graph_layouts
from ddbench.figures.graph_grid import COLORS, OTHERS, colors_of, draw_graphs, figure_of
from ddbench.figures.graph_layout import LEAVES, NODES, forest_layout, graph_layout
from ddbench.figures.thumbnails import graph_thumbnail, thumbnails
from ddbench.graphs.forests import build_forests
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.refine import refine
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.pipeline.find_sets import find_sets
from ddbench.pipeline.pictures import thumbnail_of
from ddbench.runtime.progress import Silent


def graphs_of(made, labels=None, y=None):
    """networkx graphs as one; labels: a function of a node's number."""
    counts = torch.tensor([len(graph) for graph in made])
    ptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    edges = [
        (start + a, start + b)
        for graph, start in zip(made, ptr.tolist(), strict=False)
        for pair in graph.edges
        for a, b in (pair, pair[::-1])
    ]
    features = [labels(node) if labels else node % 3 for node in range(int(ptr[-1]))]
    return Graphs(
        node_features=torch.tensor(features, dtype=torch.int64).view(len(features), -1),
        node_ptr=ptr,
        edge_index=torch.tensor(edges, dtype=torch.int64).view(-1, 2).T.contiguous(),
        edge_features=torch.zeros(len(edges), 0, dtype=torch.int64),
        y=torch.tensor(y or [i % 2 for i in range(len(made))]),
    )


def forests_of(graphs, hops, items):
    """Items: lists of nodes, whose trees they have."""
    refinement = refine(graphs, hops)
    ids = [sorted({int(refinement.ids[-1][node]) for node in nodes}) for nodes in items]
    return build_forests(graphs, refinement, ids)


def synthetic(payload, labels=None, classes=2, **changes):
    labels = torch.arange(len(payload)) % classes if labels is None else torch.tensor(labels)
    fields = {
        "payload": payload,
        "labels": labels,
        "frequency": torch.arange(1, len(payload) + 1),
        "ipc": 5,
        "dataset": "tu-NCI1",
        "class_names": tuple(map(str, range(classes))),
        "method": "mirage",
        "node_cardinalities": (99,),
        "edge_cardinalities": (),
    }
    return SyntheticGraphs(**{**fields, **changes})


def said(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts if text.get_text()]


class TestForests:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(3, 12), st.floats(0.1, 0.6), st.integers(0, 3), st.integers(0, 99))
    def test_small_ones_are_drawn_whole_and_as_they_are(self, nodes, density, hops, seed):
        graphs = graphs_of([nx.gnp_random_graph(nodes, density, seed=seed)])
        forests = forests_of(graphs, hops, [[0, nodes - 1]])
        layout = forest_layout(forests, 0)
        trees = forests.trees
        entries, parents, _ = trees.unfold(forests.roots.numpy() + trees.starts[-1])
        whole = len(layout.places) == layout.nodes == len(entries)
        assert whole != bool(len(layout.more))
        drawn = nx.DiGraph(list(map(tuple, layout.edges.tolist())))
        drawn.add_nodes_from(range(len(layout.places)))
        below = layout.places[layout.edges[:, 0], 1] - layout.places[layout.edges[:, 1], 1]
        assert (below == -1).all() and nx.is_forest(drawn.to_undirected())
        assert len({tuple(context) for context in layout.places.tolist()}) == len(layout.places)
        if whole:
            roots = len(forests.roots)
            wanted = nx.DiGraph(list(zip(range(roots, len(entries)), parents.tolist(), strict=True)))
            wanted.add_nodes_from(range(len(entries)))
            labels = trees.node_labels[trees.labels[entries], 0]
            for tree, codes in ((drawn, layout.codes[:, 0]), (wanted, labels)):
                for node, code in enumerate(codes.tolist()):
                    tree.nodes[node]["label"] = code
            same = nx.isomorphism.categorical_node_match("label", -1)
            assert nx.is_isomorphic(drawn, wanted, node_match=same)

    def test_no_two_branches_cross(self):
        graphs = graphs_of([nx.barbell_graph(4, 2)])
        layout = forest_layout(forests_of(graphs, 2, [[0, 4, 9]]), 0)
        for depth in np.unique(layout.places[:, 1]):
            children = layout.edges[layout.places[layout.edges[:, 0], 1] == depth]
            order = children[layout.places[children[:, 0], 0].argsort()]
            assert (np.diff(layout.places[order[:, 1], 0]) >= 0).all()

    def test_what_would_have_billions_of_nodes_is_cut_and_said(self):
        graphs = graphs_of([nx.complete_graph(60)], labels=lambda node: 0)
        forests = forests_of(graphs, 6, [[0]])
        layout = forest_layout(forests, 0)
        assert layout.nodes == sum(59**depth for depth in range(7)) and len(layout.places) < 200 and len(layout.more)
        figure = figure_of(synthetic(forests, labels=[1]))
        assert f"in 1 graph\n… {layout.nodes:,} nodes" in said(figure)

    def test_trees_beyond_those_drawn_leave_a_mark(self):
        graphs = graphs_of([nx.path_graph(9)], labels=lambda node: node)
        layout = forest_layout(forests_of(graphs, 1, [range(9)]), 0)
        roots = (layout.places[:, 1] == 0).sum()
        assert roots == graph_layouts.TREES and layout.more.tolist()[-1][1] == 0.0

    def test_leaves_keep_to_their_limit(self):
        graphs = graphs_of([nx.complete_graph(20)])
        layout = forest_layout(forests_of(graphs, 2, [range(20)]), 0)
        assert len(layout.places) - len(set(layout.edges[:, 1])) + len(layout.more) <= LEAVES + 1


class TestGraphs:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 15), st.floats(0.0, 0.5), st.integers(0, 99))
    def test_small_ones_are_drawn_whole_and_apart(self, nodes, density, seed):
        graph = nx.gnp_random_graph(nodes, density, seed=seed)
        layout = graph_layout(graphs_of([nx.path_graph(2), graph]), 1)
        assert layout.nodes == nodes and layout.codes[:, 0].tolist() == [(2 + node) % 3 for node in range(nodes)]
        assert {frozenset(pair) for pair in layout.edges.tolist()} == {frozenset(pair) for pair in graph.edges}
        apart = np.linalg.norm(layout.places[:, None] - layout.places, axis=2) + np.eye(nodes)
        assert np.isfinite(layout.places).all() and apart.min() > 0.05

    def test_always_the_same(self):
        graphs = graphs_of([nx.gnp_random_graph(20, 0.2, seed=3)])
        assert (graph_layout(graphs, 0).places == graph_layout(graphs, 0).places).all()

    def test_of_a_large_one_what_is_about_its_hub(self):
        graph = nx.disjoint_union(nx.path_graph(200), nx.star_graph(300))
        figure = figure_of(synthetic(graphs_of([graph]), labels=[0]))
        layout = graph_layout(graphs_of([graph]), 0)
        assert len(layout.places) == NODES and len(layout.edges) == NODES - 1
        assert "… 501 nodes" in said(figure)

    def test_no_node_and_no_edge(self, tmp_path):
        graphs = graphs_of([nx.empty_graph(0), nx.empty_graph(1), nx.empty_graph(3)])
        draw_graphs(synthetic(graphs), tmp_path / "a.png")
        assert Image.open(tmp_path / "a.png").size[0] > 100


class TestFigure:
    def test_words(self):
        graphs = graphs_of([nx.path_graph(4), nx.cycle_graph(5)])
        forests = forests_of(graphs, 1, [[0], [1], [2, 5]])
        syn = synthetic(forests, labels=[0, 1, 1], class_names=("-1", "a class with a long name"))
        figure = figure_of(syn)
        assert said(figure) == [
            "in 1 graph",
            "class -1",
            "in 2 graphs",
            "in 3 graphs",
            "a class with a",
            "mirage on tu-NCI1, ipc 5",
        ]
        legend = figure.axes[0].get_legend()
        assert legend is not None and "trees of 1 hops" in legend.get_title().get_text()
        assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "2"]
        assert said(figure_of(syn, words=False)) == []

    def test_many_classes_items_and_labels(self, tmp_path):
        graphs = graphs_of([nx.path_graph(8)] * 30, labels=lambda node: node % 50)
        syn = synthetic(graphs, classes=10, labels=[0] * 21 + list(range(1, 10)))
        draw_graphs(syn, tmp_path / "a.png")
        width, height = Image.open(tmp_path / "a.png").size
        assert 900 < width < 1500 and 700 < height < 1200
        words = said(figure_of(syn))
        assert words[-1] == "mirage on tu-NCI1, ipc 5 (the first 6 classes) (the first 8 of a class)"
        assert "class 5" in words and "class 6" not in words

    def test_the_most_frequent_labels_have_colors(self):
        often = graphs_of([nx.path_graph(40)], labels=lambda node: (node % 20 if node > 20 else 7, 1))
        layout = graph_layout(often, 0)
        colors = colors_of([layout])
        assert len(colors) == len(COLORS) and (7, 1) in colors and list(colors) == sorted(colors)
        legend = figure_of(synthetic(often, labels=[0], node_cardinalities=(20, 2))).axes[0].get_legend()
        assert legend is not None
        named = [text.get_text() for text in legend.get_texts()]
        assert "7, 1" in named and named[-1].endswith("others") and OTHERS not in colors.values()

    def test_probabilities_stand_in_the_row_of_the_likeliest_class(self):
        forests = forests_of(graphs_of([nx.path_graph(3)]), 1, [[0], [1]])
        syn = synthetic(forests, labels=[[0.2, 0.8], [0.3, 0.7]], label_kind="probabilities")
        height = {text.get_text(): text.get_position()[1] for text in figure_of(syn).axes[0].texts}
        assert height["class 0"] > height["class 1"] > height["in 1 graph"] == height["in 2 graphs"]

    def test_the_file_is_the_same_twice(self, tmp_path):
        syn = synthetic(graphs_of([nx.gnp_random_graph(9, 0.4, seed=1)] * 3))
        for name in "ab":
            draw_graphs(syn, tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class TestThumbnail:
    def test_small_and_without_words(self):
        syn = synthetic(graphs_of([nx.cycle_graph(6)] * 9))
        picture = Image.open(io.BytesIO(graph_thumbnail(syn, 40_000)))
        assert picture.format == "PNG" and max(picture.size) <= 640
        assert len(graph_thumbnail(syn, 2_000)) <= 2_000

    @pytest.mark.parametrize("kind", ["graphs", "forests"])
    def test_found_by_their_hash_among_runs(self, tmp_path, kind):
        graphs = graphs_of([nx.cycle_graph(6), nx.path_graph(4)])
        syn = synthetic(graphs if kind == "graphs" else forests_of(graphs, 2, [[0], [6, 8]]))
        folder = tmp_path / "runs" / "a-mirage"
        folder.mkdir(parents=True)
        digest = syn.save(folder / "synthetic.safetensors")
        (folder / "synthetic-2.safetensors").write_bytes(b"nothing")
        files = find_sets(tmp_path, [digest, "another"])
        found = thumbnails(files, 10**6, 40_000, Silent(), lambda file: thumbnail_of(file, tmp_path, 40_000))
        assert list(found) == [digest] and found[digest].startswith(b"\x89PNG")
