"""``ogb:molhiv``: the graph sets of the Open Graph Benchmark, with their official splits and metric.

Hu et al. 2020 (arXiv:2005.00687). The library ``ogb`` says what there is, where it lies and how it is scored; the
published tables are read here. Its own loader is not used: it keeps what it has read in pickled files, which it opens
in a way that today's torch refuses, and merely importing the library asks the network for its newest version.
"""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data.rawdata import Request
from ddbench.errors import UserError, unknown
from ddbench.graphs.codes import codes
from ddbench.graphs.download import fetch_texts
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.rawgraphs import Metric, OfficialSplit, RawGraphs
from ddbench.graphs.text_files import damaged, numbers, whole_numbers

LARGEST_GRAPH, LARGEST_SET = 10_000_000, 1_000_000_000
"""Nodes or edges; the largest set, ogbg-ppa, has 38 million nodes and 359 million edges."""
METRICS: dict[str, Metric] = {"rocauc": "roc-auc", "acc": "accuracy"}


def load(request: Request) -> RawGraphs:
    """Load a set in the library's layout ``ogbg_molhiv/{raw,split/scaffold}``.

    It is looked for in the data root and its folder ``ogb``, then under home, else downloaded to home. Node and edge
    labels are the published integers, several columns each; an edge listed once is there in both directions where the
    library says so.

    Args:
        request: ``what`` is the name without ``ogbg-``.

    Returns:
        The graphs, with the official split and metric.

    Raises:
        UserError: The library is absent; the name is unknown, or that of a set of several tasks, of regression or with
            continuous features; or files are missing or damaged.
    """
    facts = _facts(request)
    folder = _folder(request, facts)
    raw = folder / "raw"
    node_counts = _counts(raw / "num-node-list.csv.gz", None, request)
    y = whole_numbers(raw / "graph-label.csv.gz", request, rows=len(node_counts), columns=1)[:, 0]
    classes = int(facts["num classes"])
    if len(y) == 0 or not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise damaged(raw / "graph-label.csv.gz", f"its classes are not 0 to {classes - 1}", request)
    node_ptr = torch.cat([torch.zeros(1, dtype=torch.int64), node_counts.cumsum(0)])
    edge_index = _edges(raw, node_ptr, request)
    edge_features = torch.zeros(edge_index.shape[1], 0, dtype=torch.int64)
    if facts["has_edge_attr"] == "True":
        edge_features = _labels(raw / "edge-feat.csv.gz", edge_index.shape[1], request)
    if facts["add_inverse_edge"] == "True":
        edge_index = torch.stack([edge_index, edge_index.flip(0)], dim=2).flatten(1)
        edge_features = edge_features.repeat_interleave(2, dim=0)
    notes = []
    if facts["has_node_attr"] == "True":
        node_features = _labels(raw / "node-feat.csv.gz", int(node_ptr[-1]), request)
    else:
        node_features = torch.bincount(edge_index[1], minlength=int(node_ptr[-1]))[:, None]
        notes.append("the set has no node labels: the degree of a node is its label")
    graphs = Graphs(
        node_features=node_features, node_ptr=node_ptr, edge_index=edge_index, edge_features=edge_features, y=y
    )
    return RawGraphs(
        graphs=graphs,
        class_names=tuple(str(label) for label in range(classes)),
        metric=METRICS[facts["eval metric"]],
        official=_split(folder / "split" / facts["split"], facts["split"], len(graphs), request),
        notes=tuple(notes),
    )


def _facts(request: Request) -> dict[str, str]:
    """What the library's table says of the set.

    Raises:
        UserError: One that cannot be used here.
    """
    table = _table(request)
    name = f"ogbg-{request.what}"
    if name not in table:
        known = (f"ogb:{known.removeprefix('ogbg-')}" for known in table)
        raise unknown("dataset", f"ogb:{request.what}", known, request.where)
    facts = table[name]
    if "classification" not in facts["task type"] or facts["eval metric"] not in METRICS and facts["num tasks"] == "1":
        raise _unfit(request, f"its task is {facts['task type']}")
    if facts["num tasks"] != "1":
        raise _unfit(request, f"it has {facts['num tasks']} tasks, and a graph has one class here")
    return facts


def _unfit(request: Request, why: str) -> UserError:
    return UserError(
        f"ogb:{request.what} is not a set for classification into one class",
        request.origin,
        f"why      {why}",
        fix="choose another, such as ogb:molhiv, ogb:molbace or ogb:molbbbp",
    )


def _table(request: Request) -> dict[str, dict[str, str]]:
    """The library's own table of sets, read without running any of its code."""
    spec = find_spec("ogb")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"ogb:{request.what} needs the library 'ogb', which is not installed",
            request.origin,
            fix='pip install "ddbench[ogb]"',
        )
    path = Path(spec.submodule_search_locations[0]) / "graphproppred" / "master.csv"
    with path.open(newline="") as file:
        (_, *names), *rows = csv.reader(file)
    return {name: {row[0]: row[1 + i] for row in rows} for i, name in enumerate(names)}


def _folder(request: Request, facts: dict[str, str]) -> Path:
    own = f"ogbg_{request.what}"
    downloaded = request.home / "downloads" / "ogb" / own
    for folder in (request.data_root / own, request.data_root / "ogb" / own, downloaded):
        if (folder / "raw").is_dir():
            return folder
    fetch_texts(facts["url"], downloaded, ".csv.gz", request)
    return downloaded


def _counts(path: Path, rows: int | None, request: Request) -> Tensor:
    counts = whole_numbers(path, request, rows=rows, columns=1)[:, 0]
    if (counts < 0).any():
        raise damaged(path, "a count is below 0", request)
    if (counts > LARGEST_GRAPH).any() or int(counts.sum()) > LARGEST_SET:
        raise damaged(path, f"it counts {int(counts.max()):,} in one graph, {int(counts.sum()):,} in all", request)
    return counts


def _labels(path: Path, rows: int, request: Request) -> Tensor:
    table = numbers(path, request)
    if len(table) != rows:
        raise damaged(path, f"it has {len(table)} rows, expected {rows}", request)
    return codes(table, f"the numbers in {path.name} of ogb:{request.what}", request.where)


def _edges(raw: Path, node_ptr: Tensor, request: Request) -> Tensor:
    """Edges as they are listed, (2, m), in numbers of nodes over all graphs."""
    counts = _counts(raw / "num-edge-list.csv.gz", len(node_ptr) - 1, request)
    path = raw / "edge.csv.gz"
    listed = whole_numbers(path, request, rows=int(counts.sum()), columns=2).T
    graph = torch.repeat_interleave(torch.arange(len(counts)), counts)
    if ((listed < 0) | (listed >= node_ptr.diff()[graph])).any():
        raise damaged(path, "an edge names a node that its graph does not have", request)
    return listed + node_ptr[graph]


def _split(folder: Path, kind: str, graphs: int, request: Request) -> OfficialSplit:
    parts = [whole_numbers(folder / f"{part}.csv.gz", request, columns=1)[:, 0] for part in ("train", "valid", "test")]
    rows = torch.cat(parts).sort().values
    if len(rows) != graphs or not torch.equal(rows, torch.arange(graphs)):
        raise damaged(folder / "train.csv.gz", f"the three parts do not name each of {graphs} graphs once", request)
    train, validation, test = parts
    return OfficialSplit(train=train, validation=validation, test=test, name=f"official {kind} split")
