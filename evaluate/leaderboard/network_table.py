"""Sets against networks: how sets fare with networks they were not made with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from ddbench.evaluate.protocols import network_pools

Line = dict[str, Any]
"""A row of the leaderboard: the keys of ``ddbench.evaluate.leaderboard.ranking.leaderboard``."""

GROUP = ("dataset", "test_split", "ipc", "protocol", "conditions")
_NAME = ("label", "synthetic_sha256")
"""What a line of the table is: a set. Sets of one method are never mixed."""


def pool_blocks(entries: Sequence[Line]) -> Iterator[tuple[str, list[list[str]]]]:
    """Tables of sets against the networks of a pool, one for each data set, ipc, protocol and pool of the rows.

    A line a set, the best mean first; the columns are the pool's members, and a set that lacks one has no mean. Rows
    chosen on the test split are not shown.

    Args:
        entries: Lines of the leaderboard.

    Returns:
        Pairs of a title, and cells, head first.
    """
    sets: dict[tuple[Any, ...], list[Line]] = {}
    for entry in entries:
        for pool in entry["pool"].split(",") if isinstance(entry["pool"], str) else ():
            if entry["selection"] != "oracle" and pool in network_pools.POOLS:
                sets.setdefault((*(entry[key] for key in GROUP), pool, *(entry[key] for key in _NAME)), []).append(
                    entry
                )
    blocks: dict[tuple[Any, ...], list[list[Line]]] = {}
    for (*group, pool, _, _), by_network in sets.items():
        networks = tuple(network_pools.POOLS[pool].members(_convnet(by_network)))
        blocks.setdefault((*group, pool, networks), []).append(
            [row for row in by_network if row["network"] in networks]
        )
    for (dataset, split, ipc, protocol, conditions, pool, networks), rows in blocks.items():
        title = [f"{pool}: {dataset}", split, f"ipc {ipc}", protocol, conditions]
        yield " · ".join(filter(None, title)), _cells(rows, networks)


def _convnet(entries: Sequence[Line]) -> str:
    """The ConvNet that stands for a pool's: what the set was distilled with, or is evaluated on; else its own."""
    named = [name for entry in entries for name in (entry["student"], entry["network"]) if isinstance(name, str)]
    return next((name for name in named if name.startswith("convnet")), "convnet-d3")


def _cells(sets: Sequence[Sequence[Line]], networks: Sequence[str]) -> list[list[str]]:
    rows = [(entries[0]["label"], {entry["network"]: entry for entry in reversed(entries)}) for entries in sets]
    measured = [(label, by_network, _mean(by_network, networks)) for label, by_network in rows]
    measured.sort(key=lambda row: (row[2] is None, -(row[2] or 0.0), row[0]))
    body = [
        [label, _percent(mean), *(_cell(by_network.get(name)) for name in networks)]
        for label, by_network, mean in measured
    ]
    return [["method", "mean", *networks], *body]


def _mean(by_network: Mapping[str, Line], networks: Sequence[str]) -> float | None:
    whole = len(by_network) == len(networks)
    return fmean(by_network[name]["score_mean"] for name in networks) if whole else None


def _cell(entry: Line | None) -> str:
    if entry is None:
        return "-"
    spread = f" ± {100 * entry['score_std']:.1f}" if len(entry["seeds"]) > 1 else ""
    return f"{100 * entry['score_mean']:.1f}{spread}"


def _percent(mean: float | None) -> str:
    return "-" if mean is None else f"{100 * mean:.1f}"
