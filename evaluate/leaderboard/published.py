"""The numbers that papers and their repositories print, to stand beside measured ones and never among them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ddbench.data.known_sets import KNOWN
from ddbench.evaluate.leaderboard.test_split import EvalSplit


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """A printed top-1 accuracy."""

    method: str
    """Name of the method, as rows have it."""
    dataset: str
    """Name of the data set."""
    ipc: int
    """Images per class."""
    network: str
    """Canonical name of the network."""
    accuracy: float
    """Mean, a fraction."""
    std: float | None
    """Standard deviation, a fraction; None where none is printed."""
    source: str
    """Paper or repository that prints it."""


@cache
def published_numbers() -> dict[tuple[str, str, int, str], PublishedResult]:
    """Every number in ``published.csv``.

    Returns:
        The results, by (method, dataset, ipc, network).
    """
    text = files("ddbench.evaluate").joinpath("published.csv").read_text(encoding="utf-8")
    results: dict[tuple[str, str, int, str], PublishedResult] = {}
    for line in csv.DictReader(text.splitlines()):
        key = line["method"], line["dataset"], int(line["ipc"]), line["network"]
        results[key] = PublishedResult(
            method=key[0],
            dataset=key[1],
            ipc=key[2],
            network=key[3],
            accuracy=float(line["accuracy"]),
            std=float(line["std"]) if line["std"] else None,
            source=line["source"],
        )
    return results


def look_up(
    method: str, dataset: str, ipc: int, network: str, protocol: str = "", tested_on: EvalSplit | None = None
) -> PublishedResult | None:
    """Find what is printed for a setting.

    Args:
        method: As in ``published.csv``.
        dataset: A re-encoded data set takes the original's figure.
        ipc: Images per class.
        network: That was evaluated.
        protocol: Matters where a method's paper prints figures of two, under two names.
        tested_on: The test split that was measured on; None where a row does not say.

    Returns:
        The figure; None where there is none, or where what was tested on is not what the name stands for.
    """
    if not is_as_published(dataset, tested_on):
        return None
    name = PRINTED_AS.get((method, protocol), method)
    return published_numbers().get((name, ORIGINAL.get(dataset, dataset), ipc, network))


def is_as_published(dataset: str, tested_on: EvalSplit | None) -> bool:
    """Tell whether a test split has the counts of the data set that papers print figures of under this name.

    Args:
        dataset: Name of the data set.
        tested_on: Test split of a row; None for an old row, which does not say.

    Returns:
        True also for an unknown data set or split.
    """
    known = KNOWN.get(dataset)
    if known is None or tested_on is None:
        return True
    size = tested_on.size if dataset in _OF_SEVERAL_SIZES else known.size
    return (tested_on.count, tested_on.classes, tested_on.size) == (known.test, known.classes, size)


_OF_SEVERAL_SIZES = ("imagenet",)
"""Of these, papers print figures at several sizes of the images."""

ORIGINAL = {"cifar10-jpeg": "cifar10"}
PRINTED_AS = {("infer", "infer-dynamic-v1"): "infer-dyn"}
