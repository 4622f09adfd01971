"""Graphs that have exactly the computation trees they are told to have, and mining by trying every set."""

from itertools import combinations

import torch
from hypothesis import strategies as st

from ddbench.graphs.graphs import Graphs
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.method import GraphTask
from ddbench.methods.mirage.mining import mining_of

TREES = 6


def transactions_of(most=8, trees=TREES, least=1):
    """Strategy: lists of sets of small numbers, each set sorted."""
    return st.lists(st.sets(st.integers(0, trees - 1)).map(sorted), min_size=least, max_size=most)


def brute_force(transactions, theta):
    """Every set that ``theta`` transactions or more contain, as a sorted tuple, and how many do."""
    held = [set(each) for each in transactions]
    items = sorted(set().union(*held))
    sets = (trees for size in range(1, len(items) + 1) for trees in combinations(items, size))
    counts = {trees: sum(each.issuperset(trees) for each in held) for trees in sets}
    return {trees: count for trees, count in counts.items() if count >= theta}


def bits_of(transactions):
    """The transactions that have each item, as bits."""
    rows = {}
    for context, items in enumerate(transactions):
        for item in items:
            rows[item] = rows.get(item, 0) | 1 << context
    return rows


def pairs_graphs(by_class):
    """Graphs of which number k of a transaction is two joined nodes labeled k, so that each k is a tree of its own.

    A graph without any is one node without neighbors. by_class: transactions of each class.
    """
    labels, edges, sizes, y = [], [], [], []
    for label, transactions in enumerate(by_class):
        for items in transactions:
            first = len(labels)
            labels += [item for item in items for _ in range(2)] or [0]
            for at in range(first, first + 2 * len(items), 2):
                edges += [(at, at + 1), (at + 1, at)]
            sizes.append(len(labels) - first)
            y.append(label)
    return Graphs(
        node_features=torch.tensor(labels)[:, None],
        node_ptr=torch.tensor([0, *sizes]).cumsum(0),
        edge_index=torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T.contiguous(),
        edge_features=torch.zeros(len(edges), 0, dtype=torch.int64),
        y=torch.tensor(y),
    )


def real_set(by_class, name="pairs"):
    """A graph set whose splits are all ``pairs_graphs``."""
    graphs = by_class if isinstance(by_class, Graphs) else pairs_graphs(by_class)
    classes = int(graphs.y.max()) + 1
    return GraphSet(
        name=name,
        class_names=tuple(f"class {label}" for label in range(classes)),
        train=graphs,
        validation=graphs,
        test=graphs,
        node_cardinalities=tuple((graphs.node_features.amax(0) + 1).tolist()),
        edge_cardinalities=(),
        split="all the same",
        metric="accuracy",
        fingerprint=name,
    )


def task_of(by_class, method="mirage"):
    return GraphTask(real=real_set(by_class), method=method)


def mining_of_sets(by_class, *, miner="exact", most=100_000):
    """A ``Mining`` of ``pairs_graphs``."""
    graphs = pairs_graphs(by_class)
    names = tuple(f"class {label}" for label in range(len(by_class)))
    return mining_of(graphs, names, hops=1, miner=miner, most=most)


def numbers(mining, trees):
    """Which numbers of the transactions a set of trees stands for."""
    return tuple(sorted(mining.refinement.tree(1, tree).codes[0] for tree in trees))
