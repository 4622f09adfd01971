"""A sequence of PyG graphs as the flat arrays of ``Graphs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.graphs.codes import codes


def arrays_of(sequence: Sequence[Any], where: str = "") -> dict[str, Tensor]:
    """Join PyG graphs to flat arrays, as :func:`graphs_from_pyg` describes.

    Args:
        sequence: PyG's ``Data``, one a graph.
        where: The recipe's line, for errors; may be empty.

    Returns:
        The fields of ``Graphs``, by name.

    Raises:
        UserError: Labels are continuous or negative, graphs differ in what they have, or edges lead to nodes that are
            not there.
    """
    graphs = list(sequence)
    edges = [_edges(data, g, where) for g, data in enumerate(graphs)]
    x = [_matrix(data, "x") for data in graphs]
    counts = torch.tensor([_nodes(data, rows, g, where) for g, (data, rows) in enumerate(zip(graphs, x, strict=True))])
    node_ptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.to(torch.int64).cumsum(0)])
    for g, (ends, count) in enumerate(zip(edges, counts.tolist(), strict=True)):
        _check_ends(ends, count, g, where)
    none = torch.zeros(2, 0, dtype=torch.int64)
    edge_index = torch.cat([none, *(ends + at for ends, at in zip(edges, node_ptr.tolist()[:-1], strict=True))], dim=1)
    features = _labels(x, "node features (x)", where, empty=[count == 0 for count in counts.tolist()])
    if features is None:
        features = torch.bincount(edge_index[1], minlength=int(node_ptr[-1]))[:, None]
    edge_attr = [_matrix(data, "edge_attr") for data in graphs]
    for g, (rows, ends) in enumerate(zip(edge_attr, edges, strict=True)):
        _check_rows(rows, ends, g, where)
    edge_features = _labels(edge_attr, "edge features (edge_attr)", where, empty=[e.shape[1] == 0 for e in edges])
    if edge_features is None:
        edge_features = torch.zeros(edge_index.shape[1], 0, dtype=torch.int64)
    return {
        "node_features": features,
        "node_ptr": node_ptr,
        "edge_index": edge_index,
        "edge_features": edge_features,
        "y": _classes(graphs, where),
    }


def _edges(data: Any, g: int, location: str) -> Tensor:
    ends = getattr(data, "edge_index", None)
    if not isinstance(ends, Tensor) or ends.ndim != 2 or ends.shape[0] != 2:
        raise _refusal(
            f"item {g} is not a graph with an edge_index",
            f"found  {type(data).__name__}",
            location,
            fix="give torch_geometric.data.Data with edge_index (2, edges); a graph without edges has (2, 0)",
        )
    return ends.detach().cpu().long()


def _check_ends(ends: Tensor, nodes: int, g: int, location: str) -> None:
    if ends.numel() and not 0 <= int(ends.min()) <= int(ends.max()) < nodes:
        raise _refusal(
            f"an edge of graph {g} leads to a node that is not there",
            f"found  nodes {int(ends.min())} to {int(ends.max())} in edge_index, of {nodes} nodes",
            location,
            fix="number the nodes of each graph from 0",
        )


def _check_rows(edge_attr: Tensor | None, ends: Tensor, g: int, location: str) -> None:
    if edge_attr is not None and len(edge_attr) != ends.shape[1]:
        raise _refusal(
            f"graph {g} has {ends.shape[1]} edges and {len(edge_attr)} rows of edge_attr",
            location=location,
            fix="give every column of edge_index one row of edge_attr",
        )


def _nodes(data: Any, x: Tensor | None, g: int, location: str) -> int:
    count = len(x) if x is not None else data.num_nodes
    if count is None:
        raise _refusal(f"nothing says how many nodes graph {g} has", location=location, fix="give it x or num_nodes")
    return int(count)


def _matrix(data: Any, name: str) -> Tensor | None:
    """x or edge_attr as a matrix; None where it is absent. One without columns says how many rows there are."""
    values = getattr(data, name, None)
    if values is None:
        return None
    values = values.detach().cpu()
    return values[:, None] if values.ndim == 1 else values


def _labels(parts: list[Tensor | None], what: str, location: str, empty: list[bool]) -> Tensor | None:
    """All graphs' labels as codes, or None where no graph has any; graphs with nothing to label may lack them."""
    present = [part if part is not None and part.shape[1:] != (0,) else None for part in parts]
    if all(part is None for part in present):
        return None
    width = next(part.shape[1:] for part in present if part is not None)
    rows = []
    for g, (part, nothing) in enumerate(zip(present, empty, strict=True)):
        if part is not None and part.shape[1:] == width:
            rows.append(part)
        elif not nothing:
            raise _refusal(
                f"graph {g} differs from others in its {what}",
                f"found  {'none' if part is None else tuple(part.shape[1:])}, in others {tuple(width)}",
                location,
                fix="give every graph the same columns",
            )
    return codes(torch.cat(rows), what, location)


def _classes(graphs: list[Any], location: str) -> Tensor:
    labels = [getattr(data, "y", None) for data in graphs]
    if all(label is None for label in labels):
        return torch.full((len(graphs),), -1)
    values = []
    for g, label in enumerate(labels):
        value = None if label is None else torch.as_tensor(label).detach().cpu().reshape(-1)
        if value is None or len(value) != 1 or (value.is_floating_point() and not bool((value == value.round()).all())):
            fact = "no y" if value is None else f"y = {value.tolist() if len(value) < 4 else f'{len(value)} values'}"
            raise _refusal(
                f"graph {g} has no class",
                f"found  {fact}",
                location,
                fix="give every graph one integer y; regression, several tasks and labels of nodes are not for this",
            )
        values.append(value.long())
    return torch.cat(values)


def _refusal(problem: str, fact: str = "", location: str = "", *, fix: str) -> UserError:
    return UserError(problem, f"from   {location}" if location else "", fact, fix=fix)
