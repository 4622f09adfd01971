"""Checks, before anything runs, that a set of graphs fits the real graphs that it is tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ddbench.errors import UserError
from ddbench.graphs.graphset import GraphSet

if TYPE_CHECKING:
    from ddbench.graphs.synthetic_graphs import SyntheticGraphs


def require_graph_fit(syn: SyntheticGraphs, real: GraphSet) -> None:
    """Check that a set of graphs can be tested on real graphs.

    Args:
        syn: Set of graphs.
        real: Real graphs.

    Raises:
        UserError: Data set, classes, or the vocabularies of node and edge labels differ, or the set is empty.
    """
    for what, of_set, wanted in (
        ("data set", syn.dataset, real.name),
        ("classes", syn.class_names, real.class_names),
        ("node labels a column", syn.node_cardinalities, real.node_cardinalities),
        ("edge labels a column", syn.edge_cardinalities, real.edge_cardinalities),
    ):
        if of_set != wanted:
            raise UserError(
                f"a synthetic set of {syn.dataset} can not be tested on {real.name}: its {what} differ",
                f"set   {_describe(of_set)}",
                f"data  {_describe(wanted)}",
                fix="give the data set that the set was distilled from",
            )
    if len(syn) == 0:
        raise UserError(f"the set of {syn.method} has no items", fix="distill it again, with lower thresholds")


def require_splits(real: GraphSet) -> None:
    """Check that ROC-AUC is defined on every split.

    Args:
        real: Real graphs.

    Raises:
        UserError: A split is empty, or has graphs of a single class.
    """
    for name, graphs in (("training", real.train), ("validation", real.validation), ("test", real.test)):
        if len(graphs) == 0:
            chosen = name == "validation"
            raise UserError(
                f"the {name} split of {real.name} is empty",
                "why   which state of a network is tested is chosen on validation" if chosen else "",
                fix="set validation: 0.1 and distill again" if chosen else f"give a data set that has {name} graphs",
            )
        present = torch.unique(graphs.y)
        if len(present) < 2:
            raise UserError(
                f"the {name} split of {real.name} has graphs of one class only: ROC-AUC is not defined",
                f"found {len(graphs)} of class {real.class_names[int(present[0])]!r}",
                fix="choose another seed for the split, or a larger share for validation",
            )


def _describe(value: str | tuple[object, ...]) -> str:
    if isinstance(value, str):
        return value
    listed = ", ".join(map(str, value[:8]))
    return f"{len(value)}: {listed}{', ...' if len(value) > 8 else ''}" if value else "none"
