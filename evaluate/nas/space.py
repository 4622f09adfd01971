"""Spaces of networks to choose from: a few axes, and the network's name that a choice on each of them means."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any

from ddbench.errors import UserError, unknown
from ddbench.networks.cell_names import EDGES, OPERATIONS, PREFIXES, CellSpec, is_cell_name, parse_cell
from ddbench.networks.names import ACTIVATIONS, NORMS, POOLINGS, ConvNetSpec, canonical_network_name
from ddbench.randomness import derive

Choice = Mapping[str, Any]
"""A value for every axis."""


@dataclass(frozen=True, eq=False)
class Space:
    """Every combination of the axes' values is a network."""

    name: str
    """Name, such as "convnet-36"."""
    title: str
    """Summary for readers."""
    axes: Mapping[str, tuple[Any, ...]]
    """Values by axis."""
    name_of: Callable[[Choice], str]
    """The canonical name of a choice."""
    read: Callable[[str, str], str]
    """The canonical name of a network as a table writes it, be it of this space or not, and where that stands;
    UserError for what is no network at all."""

    def __len__(self) -> int:
        return prod(len(values) for values in self.axes.values())

    def choices(self) -> Iterator[dict[str, Any]]:
        """All choices, the last axis changing fastest.

        Returns:
            An iterator over values by axis.
        """
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """Canonical names, the last axis changing fastest."""
        return tuple(self.name_of(choice) for choice in self.choices())

    @cached_property
    def _members(self) -> frozenset[str]:
        return frozenset(self.networks)

    def __contains__(self, network: str) -> bool:
        return network in self._members


def draw(networks: tuple[str, ...], count: int | None, seed: int) -> tuple[str, ...]:
    """Random networks of a space, the same for a seed everywhere. A larger count holds the networks of a smaller one.

    Args:
        networks: Names to draw from.
        count: Number of different ones; None takes all.
        seed: Of the draw.

    Returns:
        The names drawn, in the order of ``networks``.

    Raises:
        UserError: More than there are, or none.
    """
    if count is None:
        return networks
    if not 1 <= count <= len(networks):
        raise UserError(
            f"{count} networks were asked for, and there are {len(networks)}",
            fix=f"choose 1 to {len(networks)}, or all by leaving it out",
        )
    chosen = set(sorted(networks, key=lambda network: derive(seed, "nas", network))[:count])
    return tuple(network for network in networks if network in chosen)


def part_of(networks: tuple[str, ...], part: tuple[int, int] | None) -> tuple[str, ...]:
    """Part of a list of networks, for one machine of several.

    Args:
        networks: Names of networks.
        part: (2, 4) is the second of every four networks, and so on; None is all.

    Returns:
        The names of the part.

    Raises:
        UserError: An empty part.
    """
    chosen = networks if part is None else networks[part[0] - 1 :: part[1]]
    if not chosen:
        raise UserError(f"there are {len(networks)} networks, too few for a part", fix="choose fewer parts")
    return chosen


def space(name: str) -> Space:
    """Space of a name.

    Args:
        name: Such as "convnet-36".

    Returns:
        The space.

    Raises:
        UserError: No space has this name; the error has the nearest one.
    """
    if name not in SPACES:
        raise unknown("space of networks", name, SPACES)
    return SPACES[name]


def _convnets(name: str, title: str, **axes: tuple[Any, ...]) -> Space:
    return Space(name, title, MappingProxyType(axes), lambda choice: ConvNetSpec(**choice).name, canonical_network_name)


def _cells(name: str, title: str, prefix: str) -> Space:
    cells = PREFIXES[prefix]
    edges = {f"{source}-{end}": OPERATIONS for source, end in EDGES}

    def read(text: str, location: str) -> str:
        if not (is_cell_name(text) or text.lstrip().startswith("|")):
            return canonical_network_name(text, location)
        return CellSpec(parse_cell(text, location).operations, cells).name

    return Space(
        name, title, MappingProxyType(edges), lambda choice: CellSpec(tuple(choice.values()), cells).name, read
    )


SPACES: Mapping[str, Space] = MappingProxyType(
    {
        space.name: space
        for space in (
            _convnets(
                "convnet-720",
                "4 widths, 4 depths, 5 norms, 3 activations, 3 poolings; 32-pixel images",
                width=(32, 64, 128, 256),
                depth=(1, 2, 3, 4),
                norm=NORMS,
                activation=ACTIVATIONS,
                pooling=POOLINGS,
            ),
            _convnets(
                "convnet-36",
                "a part of convnet-720 for a CPU: 2 widths, 3 depths, 3 norms, 2 poolings, ReLU; 8 pixels or more",
                width=(32, 64),
                depth=(1, 2, 3),
                norm=("nonorm", "bn", "in"),
                activation=("relu",),
                pooling=("maxpool", "avgpool"),
            ),
            _cells("nas-bench-201", "15,625 cells of NAS-Bench-201, five a stage", "nb201"),
            _cells("nas-bench-201-n1", "the same cells, one a stage: a fast form", "nb201-n1"),
        )
    }
)
