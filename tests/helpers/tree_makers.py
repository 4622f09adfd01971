"""Small labeled graphs, and their computation trees written out as nested tuples: what the fast ways are held to."""

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from conftest import SHARED_DATA
from hypothesis import strategies as st

from ddbench.graphs.graphs import Graphs
from ddbench.graphs.load import load_graphs


def graphs_of(parts, *, columns=1, edge_columns=0):
    """``Graphs`` from (codes of each node, {one direction (source, target, codes of the edge)}) for each graph."""
    features, ends, codes, sizes = [], [], [], []
    for labels, edges in parts:
        first = len(features)
        features += labels
        ends += [(first + a, first + b) for a, b, _ in edges]
        codes += [code for _, _, code in edges]
        sizes.append(len(labels))
    return Graphs(
        node_features=torch.tensor(features, dtype=torch.int64).reshape(-1, columns),
        node_ptr=torch.tensor([0, *sizes]).cumsum(0),
        edge_index=torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T.contiguous(),
        edge_features=torch.tensor(codes, dtype=torch.int64).reshape(len(codes), edge_columns),
        y=torch.arange(len(sizes)) % 2,
    )


@st.composite
def labeled_graphs(draw, *, columns=None, edge_columns=None, directed=False, most=5):
    """One to ``most`` graphs of up to six nodes: isolated nodes, loops and multi-edges happen."""
    columns = draw(st.integers(1, 2)) if columns is None else columns
    edge_columns = draw(st.integers(0, 2)) if edge_columns is None else edge_columns
    code = st.integers(0, draw(st.integers(0, 2)))
    parts = []
    for _ in range(draw(st.integers(1, most))):
        nodes = draw(st.integers(1, 6))
        labels = draw(st.lists(st.tuples(*[code] * columns), min_size=nodes, max_size=nodes))
        node = st.integers(0, nodes - 1)
        edges = draw(st.lists(st.tuples(node, node, st.tuples(*[code] * edge_columns)), max_size=9))
        if not directed:
            edges = [each for a, b, c in edges for each in ([(a, b, c), (b, a, c)] if a != b else [(a, b, c)])]
        parts.append((labels, edges))
    return graphs_of(parts, columns=columns, edge_columns=edge_columns)


def written_out(graphs, hops, *, degrees=False):
    """The tree of every node as (codes, degree or None, sorted branches (codes of the edge, tree)), from the edges."""
    incoming = [[] for _ in graphs.node_features]
    pairs = graphs.edge_index.T.tolist()
    for (source, target), code in zip(pairs, graphs.edge_features.tolist(), strict=True):
        incoming[target].append((tuple(code), source))
    labels = [tuple(codes) for codes in graphs.node_features.tolist()]

    def tree(node, left):
        branches = sorted((code, tree(source, left - 1)) for code, source in incoming[node]) if left else []
        return labels[node], len(incoming[node]) if degrees else -1, tuple(branches)

    return [tree(node, hops) for node in range(len(labels))]


def size_of(tree):
    """How many nodes a tree has that is written out."""
    return 1 + sum(size_of(branch) for _, branch in tree[2])


def in_bijection(ids, things):
    """Whether equal ids are exactly those of equal things."""
    pairs = set(zip(ids, things, strict=True))
    return len(pairs) == len(set(ids)) == len(set(things))


def first_most_frequent(things):
    """What comes most often; of several, what comes first."""
    return Counter(things).most_common(1)[0][0]


@cache
def published(name):
    """A set of the TU collection in the published split, where this machine has it."""
    if not (SHARED_DATA / "tu" / name).is_dir():
        pytest.skip(f"the real data set tu:{name} is not beside this checkout")
    with TemporaryDirectory() as home:
        return load_graphs(f"tu:{name}", home=Path(home), data_root=SHARED_DATA, quiet=True)
