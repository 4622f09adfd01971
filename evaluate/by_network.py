"""Methods against networks: how sets fare with networks they were not made with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

Line = dict[str, Any]
"""A row of the leaderboard: the keys of ``ddbench.evaluate.leaderboard.leaderboard``."""

GROUP = ("dataset", "ipc", "protocol", "lr_policy", "pool")


def pool_blocks(lines: Sequence[Line]) -> Iterator[tuple[str, list[list[str]]]]:
    """For each data set, ipc, protocol and pool of several networks: a title, and cells, head first.

    A line a method, the best mean first; the mean of a method that lacks a network is left out. Rows chosen on the
    test split are not shown.
    """
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        if isinstance(line["pool"], str) and line["selection"] != "oracle":
            groups.setdefault(tuple(line[key] for key in GROUP), []).append(line)
    for (dataset, ipc, protocol, policy, pool), found in groups.items():
        networks = list(dict.fromkeys(line["network"] for line in found))
        if len(networks) > 1:
            searched = ["rate searched on validation"] if policy == "search" else []
            yield " · ".join([f"{pool}: {dataset}", f"ipc {ipc}", protocol, *searched]), _cells(found, networks)


def _cells(lines: Sequence[Line], networks: Sequence[str]) -> list[list[str]]:
    methods: dict[str, dict[str, Line]] = {}
    for line in lines:
        methods.setdefault(line["label"], {}).setdefault(line["network"], line)
    means = {
        label: fmean(row[name]["accuracy_mean"] for name in networks) if len(row) == len(networks) else None
        for label, row in methods.items()
    }
    order = sorted(methods, key=lambda label: (means[label] is None, -(means[label] or 0.0), label))
    body = [[label, _percent(means[label]), *(_cell(methods[label].get(name)) for name in networks)] for label in order]
    return [["method", "mean", *networks], *body]


def _cell(line: Line | None) -> str:
    return "-" if line is None else f"{100 * line['accuracy_mean']:.1f} ± {100 * line['accuracy_std']:.1f}"


def _percent(mean: float | None) -> str:
    return "-" if mean is None else f"{100 * mean:.1f}"
