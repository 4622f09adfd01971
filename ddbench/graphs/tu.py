"""``tu:NAME``: the graph sets of the TU Dortmund collection, from their text files.

Morris et al. 2020 (arXiv:2007.08663). As PyG's ``read_tu_data`` does, self loops and repeated edges are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench.data.rawdata import Request
from ddbench.errors import UserError
from ddbench.graphs.codes import ranked
from ddbench.graphs.download import fetch_texts
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.rawgraphs import RawGraphs
from ddbench.graphs.text_files import damaged, whole_numbers

URL = "https://www.chrsmrrs.com/graphkerneldatasets"


def load(request: Request) -> RawGraphs:
    """Load a set in PyG's layout ``NAME/raw/NAME_A.txt`` or as its archive unpacks, ``NAME/NAME_A.txt``.

    It is looked for in the data root and its folder ``tu``, then under home, else downloaded to home. Classes are
    numbered in the order of the labels, and so are the values of each column of node and edge labels. Without node
    labels the degree of a node is its label. Attributes (measured numbers) are left out.

    Args:
        request: ``what`` is the name of the set.

    Returns:
        The graphs.

    Raises:
        UserError: The set has attributes but no labels of nodes, has no classes of graphs, or is missing or damaged.
    """
    files = _Files(_folder(request), request)
    y, class_names = _classes(files)
    node_ptr = _node_ptr(files, len(y))
    nodes = int(node_ptr[-1])
    edge_index, edge_rows, listed = _edges(files, node_ptr)
    if files.has("node_labels"):
        node_features = files.labels("node_labels", rows=nodes)
    else:
        _refuse_attributes_alone(files)
        node_features = torch.bincount(edge_index[1], minlength=nodes)[:, None]
    edge_features = torch.zeros(len(edge_rows), 0, dtype=torch.int64)
    if files.has("edge_labels"):
        edge_features = files.labels("edge_labels", rows=listed)[edge_rows]
    return RawGraphs(
        graphs=Graphs(
            node_features=node_features, node_ptr=node_ptr, edge_index=edge_index, edge_features=edge_features, y=y
        ),
        class_names=class_names,
        notes=_notes(files),
    )


@dataclass(frozen=True)
class _Files:
    """The text files of one set: one row a node, a directed edge or a graph each."""

    folder: Path
    request: Request

    def path(self, kind: str) -> Path:
        return self.folder / f"{self.request.what}_{kind}.txt"

    def has(self, kind: str) -> bool:
        return self.path(kind).exists()

    def read(self, kind: str, *, rows: int | None = None, columns: int | None = None) -> Tensor:
        return whole_numbers(self.path(kind), self.request, rows=rows, columns=columns)

    def labels(self, kind: str, *, rows: int) -> Tensor:
        """Codes, (rows, columns): the values of each column are numbered in their order."""
        return torch.stack([ranked(column)[0] for column in self.read(kind, rows=rows).T], dim=1)

    def damaged(self, kind: str, why: str) -> UserError:
        return damaged(self.path(kind), why, self.request)


def _folder(request: Request) -> Path:
    name, downloaded = request.what, request.home / "downloads" / "tu" / request.what
    for folder in (request.data_root / name, request.data_root / "tu" / name, downloaded):
        for raw in (folder / "raw", folder):
            if (raw / f"{name}_graph_indicator.txt").exists() or (raw / f"{name}_A.txt").exists():
                return raw
    fetch_texts(f"{URL}/{name}.zip", downloaded / "raw", ".txt", request)
    return downloaded / "raw"


def _classes(files: _Files) -> tuple[Tensor, tuple[str, ...]]:
    if not files.has("graph_labels"):
        raise UserError(
            f"the graphs of {files.request.what} have no classes",
            files.request.origin,
            f"expected {files.path('graph_labels')}",
            fix="choose a set for classification; one with graph attributes alone is for regression",
        )
    y, values = ranked(files.read("graph_labels", columns=1)[:, 0])
    return y, tuple(str(value) for value in values.tolist())


def _node_ptr(files: _Files, graphs: int) -> Tensor:
    graph_of_node = files.read("graph_indicator", columns=1)[:, 0] - 1
    if len(graph_of_node) == 0 or (graph_of_node.diff() < 0).any():
        raise files.damaged("graph_indicator", "the nodes of a graph must follow one another, in the order of graphs")
    if graph_of_node[0] < 0 or graph_of_node[-1] >= graphs:
        low, high = int(graph_of_node[0]) + 1, int(graph_of_node[-1]) + 1
        raise files.damaged("graph_indicator", f"it names graphs {low} to {high}, and {graphs} have a class")
    return torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(graph_of_node, minlength=graphs).cumsum(0)])


def _edges(files: _Files, node_ptr: Tensor) -> tuple[Tensor, Tensor, int]:
    """edge_index (2, m), the rows of the file in which those edges are (m,), and how many rows the file has."""
    listed = files.read("A", columns=2).numpy() - 1
    nodes = int(node_ptr[-1])
    if len(listed) and not 0 <= listed.min() <= listed.max() < nodes:
        low, high = listed.min() + 1, listed.max() + 1
        raise files.damaged("A", f"it names nodes {low} to {high}, and there are {nodes}")
    order = np.lexsort((listed[:, 1], listed[:, 0]))
    source, target = listed[order].T
    first = np.ones(len(order), dtype=bool)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    edge_rows = torch.from_numpy(order[first & (source != target)])
    edge_index = torch.from_numpy(listed)[edge_rows].T.contiguous()
    graph = torch.searchsorted(node_ptr, edge_index, right=True)
    if (graph[0] != graph[1]).any():
        raise files.damaged("A", "an edge joins nodes of two graphs")
    return edge_index, edge_rows, len(listed)


def _refuse_attributes_alone(files: _Files) -> None:
    if files.has("node_attributes"):
        raise UserError(
            f"nodes of {files.request.what} have continuous attributes and no labels, and labels are needed",
            files.request.origin,
            f"found    {files.path('node_attributes').name}, and no {files.path('node_labels').name}",
            fix="give pyg:MODULE:FUNCTION, a function of yours that returns the graphs with x discretised; or give "
            "with --data-root a copy of the set without its attributes: the degree is then the label",
        )


def _notes(files: _Files) -> tuple[str, ...]:
    notes = []
    if not files.has("node_labels"):
        notes.append("the set has no node labels: the degree of a node is its label")
    elif files.has("node_attributes"):
        notes.append("node attributes (measured numbers) are left out: a node has its label alone")
    if files.has("edge_attributes"):
        notes.append("edge attributes (measured numbers) are left out")
    return tuple(notes)
