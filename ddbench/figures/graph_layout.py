"""Layout of a graph, or of a set of computation trees, in a picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ddbench.graphs.forests import Forests
from ddbench.graphs.graphs import Graphs

NODES = 80
"""As many nodes of a graph are drawn."""

TREES = 4
LEAVES = 32
"""As many trees of an item are drawn, and as many leaves of them together."""

BRANCHES = (64, 32, 16, 12, 8, 6, 5, 4, 3, 2, 1)
FEW = 3
"""How many branches of a node are drawn at most: the first of these with which an item keeps to ``LEAVES``. Rather
than less than ``FEW``, a tree less is drawn.
"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Positions and labels of an item that is drawn."""

    places: np.ndarray
    """(n, 2), positions of the nodes; neighbors are about 1 apart, y goes up."""
    edges: np.ndarray
    """(m, 2), numbers of the nodes that each edge joins."""
    codes: np.ndarray
    """(n, F), codes of the nodes."""
    more: np.ndarray
    """(c, 2), positions where something is left out."""
    nodes: int
    """Nodes that the item has in all."""
    free: bool
    """Whether height and width may be stretched apart."""


def layout_of(payload: Forests | Graphs, item: int) -> Layout:
    """Lay out one item of a set.

    Args:
        payload: Forests or graphs.
        item: Number of the item.

    Returns:
        The layout.
    """
    return graph_layout(payload, item) if isinstance(payload, Graphs) else forest_layout(payload, item)


def forest_layout(forests: Forests, item: int) -> Layout:
    """Lay out trees side by side, roots on top. Branches beyond what can be seen are left out, and never unfolded.

    Args:
        forests: The forests.
        item: Number of the item.

    Returns:
        The layout.
    """
    trees = forests.trees
    ends = trees.branches.cumsum().tolist()
    roots = (forests.roots[forests.item_of_root == item].numpy() + trees.starts[-1]).tolist()

    def children(entry: int) -> list[int]:
        return trees.children[ends[entry] - int(trees.branches[entry]) : ends[entry]].tolist()

    count, most = next(
        (
            (count, most)
            for count in range(min(TREES, len(roots)), 0, -1)
            for most in BRANCHES
            if (count == 1 or most >= FEW) and _width(children, roots[:count], most) <= LEAVES
        ),
        (1, 1),
    )
    places: list[tuple[float, float]] = []
    edges: list[tuple[int, int]] = []
    entries: list[int] = []
    more: list[tuple[float, float]] = []
    free = 0.0

    def grow(entry: int, depth: int) -> int:
        """Draws a tree to the right of what is there; the number of its root."""
        nonlocal free
        mine = len(places)
        entries.append(entry)
        places.append((0.0, 0.0))
        below = children(entry)
        drawn = [grow(child, depth + 1) for child in below[:most]]
        across = [places[child][0] for child in drawn]
        if len(below) > most:
            across.append(free)
            more.append((free, -depth - 1.0))
            free += 1
        if not across:
            across, free = [free], free + 1
        places[mine] = ((across[0] + across[-1]) / 2, -float(depth))
        edges.extend((child, mine) for child in drawn)
        return mine

    for root in roots[:count]:
        grow(root, 0)
        free += 0.5
    if len(roots) > count:
        more.append((free, 0.0))
    return Layout(
        places=np.array(places),
        edges=np.array(edges, np.int64).reshape(-1, 2),
        codes=trees.node_labels[trees.labels[entries]],
        more=np.array(more).reshape(-1, 2),
        nodes=int(forests.unfolded_nodes[item]),
        free=True,
    )


def _width(children: Callable[[int], list[int]], roots: Sequence[int], most: int) -> int:
    """Leaves of these trees, and marks of what is left out, with at most so many branches of a node."""

    @cache
    def width(entry: int) -> int:
        below = children(entry)
        return max(1, sum(map(width, below[:most])) + (len(below) > most))

    return sum(map(width, roots))


def graph_layout(graphs: Graphs, g: int) -> Layout:
    """Lay out the components of a graph side by side, the largest first; of a large graph the nodes about its best
    connected one.

    Args:
        graphs: The graphs.
        g: Number of the graph.

    Returns:
        The layout.
    """
    import networkx as nx

    nodes, edges = graphs.nodes_of(g), graphs.edges_of(g)
    graph = nx.Graph()
    graph.add_nodes_from(range(nodes.stop - nodes.start))
    graph.add_edges_from((graphs.edge_index[:, edges] - nodes.start).T.tolist())
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    places: dict[int, np.ndarray] = {}
    left = 0.0
    for component in sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part))):
        shown = _ball(graph, component, NODES - len(places))
        if not shown:
            break
        spread = _spread(graph.subgraph(shown))
        corner = np.min(list(spread.values()), 0)
        places |= {node: context - corner + (left, 0.0) for node, context in spread.items()}
        left = max(context[0] for context in places.values()) + 1
    order = sorted(places)
    number = {node: i for i, node in enumerate(order)}
    drawn = graph.subgraph(order).edges
    return Layout(
        places=np.array([places[node] for node in order]).reshape(-1, 2),
        edges=np.array([(number[a], number[b]) for a, b in drawn], np.int64).reshape(-1, 2),
        codes=graphs.node_features[nodes][order].numpy(),
        more=np.empty((0, 2)),
        nodes=len(graph),
        free=False,
    )


def _ball(graph, component: set[int], most: int) -> list[int]:
    """The first nodes of a component, breadth first from the one with most neighbors."""
    start = min(component, key=lambda node: (-graph.degree[node], node))
    seen, waiting = {start}, deque([start])
    ball: list[int] = []
    while waiting and len(ball) < most:
        ball.append(waiting.popleft())
        further = [node for node in sorted(graph[ball[-1]]) if node not in seen]
        seen.update(further)
        waiting.extend(further)
    return ball


def _spread(graph) -> dict[int, np.ndarray]:
    """Kamada and Kawai's places of a connected graph; from a node to the nearest one it is 1 in the mean."""
    import networkx as nx

    places = nx.kamada_kawai_layout(nx.Graph(graph))
    if len(places) == 1:
        return places
    positions = np.array(list(places.values()))
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    unit = max(apart.min(1).mean(), 1e-9)
    return {node: context / unit for node, context in places.items()}
