"""Names of networks of NAS-Bench-201: ``nb201:`` and the architecture string of their cell.

``nb201-n1:`` is the fast form with one cell a stage instead of five. Source: Dong and Yang 2020 (arXiv:2001.00326).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ddbench.errors import UserError, unknown

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From node to node, in the order in which the string names them."""

PREFIXES = {"nb201": 5, "nb201-n1": 1}
"""Cells a stage, by prefix."""

EXAMPLE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


@dataclass(frozen=True)
class CellSpec:
    """A cell of NAS-Bench-201."""

    operations: tuple[str, ...]
    """One of OPERATIONS on each edge of EDGES."""
    cells: int = 5
    """Such cells of each stage."""

    @property
    def arch(self) -> str:
        """``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``: the nodes 1 to 3, each by what enters it."""
        nodes = []
        for node in (1, 2, 3):
            entering = zip(EDGES, self.operations, strict=True)
            nodes.append("|".join(f"{operation}~{source}" for (source, end), operation in entering if end == node))
        return "+".join(f"|{node}|" for node in nodes)

    @property
    def name(self) -> str:
        """Name of the network, with its prefix."""
        prefix = next(prefix for prefix, cells in PREFIXES.items() if cells == self.cells)
        return f"{prefix}:{self.arch}"


def is_cell_name(name: str) -> bool:
    """Check whether a name begins as that of a cell network.

    Args:
        name: Name of a network.

    Returns:
        True for ``nb201:...`` and ``nb201-n1:...``.
    """
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix.lower() in PREFIXES


def parse_cell(name: str, where: str = "") -> CellSpec:
    """Parse the name of a network of cells.

    Args:
        name: Name such as ``nb201:|...|``, or a bare architecture string, which has five cells a stage.
        where: The place it was read from, for errors; may be empty.

    Returns:
        The cell.

    Raises:
        UserError: An unknown operation, or a string of another form.
    """
    prefix, colon, arch = name.lower().partition(":")
    if not colon:
        prefix, arch = "nb201", prefix
    if prefix not in PREFIXES:
        raise unknown("cell network", prefix, PREFIXES, where)
    match = re.fullmatch(_FORM, "".join(arch.split()))
    if match is None:
        raise UserError(
            f"{arch!r} is no cell of NAS-Bench-201",
            f"from  {where}" if where else "",
            "form  |op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
            fix=f"write it like {EXAMPLE}",
        )
    for operation in match.groups():
        if operation not in OPERATIONS:
            raise unknown("operation of a cell", operation, OPERATIONS, where)
    return CellSpec(match.groups(), PREFIXES[prefix])


_FORM = r"\+".join(r"\|" + "".join(rf"(\w+)~{source}\|" for source, end in EDGES if end == node) for node in (1, 2, 3))
