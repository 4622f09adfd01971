"""``motifs``: trees with a house or a cycle attached, made in code, the same everywhere; nothing is downloaded."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from ddbench.data.rawdata import Request
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.rawgraphs import RawGraphs

PAIRS = 300
SEED = 20231014  # fixed for good
SMALLEST, LARGEST = 15, 25  # nodes
RING = (0, 1, 2, 2, 1)  # labels around both motifs
CHORD = (1, 4)  # what makes a house of the ring: the beam under its roof
MISPRINT = 0.15  # how often a node of a motif has the label of a tree's node
MOST_NEIGHBORS = 4

Edge = tuple[int, int]


def load(request: Request) -> RawGraphs:
    """Generate 600 graphs of 15 to 25 nodes, half with a house (five nodes, six edges), half with a cycle of the same
    nodes.

    Neither size nor labels tell the classes apart: the number of nodes, the number of edges and the histogram of labels
    score about chance. Graphs come in pairs, one of each class with equally many nodes. A graph with a cycle has one
    more edge inside its tree, so that edges are nodes + 1 in both classes. Node labels are 0, 1 and 2, one to two to
    two, in trees and around both motifs alike. What differs are computation trees: in a house the two nodes under the
    roof are neighbors. Some labels of motifs are misprinted, so that a GIN of two or three layers learns the classes
    well (ROC-AUC 0.99) and not perfectly. Edges have no labels.

    Args:
        request: Of the recipe.

    Returns:
        The graphs, the same at every call.
    """
    draw = random.Random(SEED).random  # the one function of that module that is promised never to change
    made = []
    for _ in range(PAIRS):
        nodes = SMALLEST + int(draw() * (LARGEST - SMALLEST + 1))
        made += [_graph(nodes, True, draw), _graph(nodes, False, draw)]
    counts = torch.tensor([len(labels) for labels, _ in made])
    node_ptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    edges = []
    for (_, pairs), begin in zip(made, node_ptr.tolist(), strict=False):
        edges += [(begin + a, begin + b) for pair in pairs for a, b in (pair, pair[::-1])]
    graphs = Graphs(
        node_features=torch.tensor([[label] for labels, _ in made for label in labels]),
        node_ptr=node_ptr,
        edge_index=torch.tensor(edges).T.contiguous(),
        edge_features=torch.zeros(len(edges), 0, dtype=torch.int64),
        y=torch.tensor([0, 1] * PAIRS),
    )
    return RawGraphs(graphs=graphs, class_names=("house", "cycle"))


def _graph(nodes: int, house: bool, draw: Callable[[], float]) -> tuple[list[int], list[Edge]]:
    """Labels of the nodes, and undirected edges. The tree comes first, its motif last."""
    size = nodes - len(RING)
    edges, degree = _tree(size, draw)
    if not house:
        edges.append(_shortcut(edges, degree, draw))
    ring = range(size, nodes)
    edges += [(ring[i], ring[(i + 1) % len(RING)]) for i in range(len(RING))]
    if house:
        edges.append((ring[CHORD[0]], ring[CHORD[1]]))
    edges.append((_free(degree, draw), ring[2]))
    labels = [_label(draw) for _ in range(size)]
    labels += [_label(draw) if draw() < MISPRINT else label for label in RING]
    return labels, edges


def _tree(size: int, draw: Callable[[], float]) -> tuple[list[Edge], list[int]]:
    """A tree that grows node by node, each on one of those before it, and the degrees of its nodes."""
    edges: list[Edge] = []
    degree = [0]
    for node in range(1, size):
        parent = _free(degree, draw)
        edges.append((parent, node))
        degree[parent] += 1
        degree.append(1)
    return edges, degree


def _shortcut(edges: list[Edge], degree: list[int], draw: Callable[[], float]) -> Edge:
    """An edge between two nodes of the tree that are not neighbors yet; it counts in their degrees."""
    while True:
        a, b = sorted((_free(degree, draw), _free(degree, draw)))
        if a != b and (a, b) not in edges:
            degree[a] += 1
            degree[b] += 1
            return a, b


def _free(degree: list[int], draw: Callable[[], float]) -> int:
    """A node that can have one more neighbor."""
    free = [node for node, neighbors in enumerate(degree) if neighbors < MOST_NEIGHBORS]
    return free[int(draw() * len(free))]


def _label(draw: Callable[[], float]) -> int:
    """0, 1 or 2, as often as around a motif."""
    return RING[int(draw() * len(RING))]
