"""The numbers that papers and their repositories print, to stand beside measured ones and never among them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, kw_only=True)
class Published:
    """A printed top-1 accuracy.

    accuracy, std: fractions; std is None where none is printed. source: where they stand.
    """

    method: str
    dataset: str
    ipc: int
    network: str
    accuracy: float
    std: float | None
    source: str


@cache
def published_numbers() -> dict[tuple[str, str, int, str], Published]:
    """Every number in ``published.csv``, by (method, dataset, ipc, network)."""
    text = files("ddbench.evaluate").joinpath("published.csv").read_text(encoding="utf-8")
    found: dict[tuple[str, str, int, str], Published] = {}
    for line in csv.DictReader(text.splitlines()):
        key = line["method"], line["dataset"], int(line["ipc"]), line["network"]
        found[key] = Published(
            method=key[0],
            dataset=key[1],
            ipc=key[2],
            network=key[3],
            accuracy=float(line["accuracy"]),
            std=float(line["std"]) if line["std"] else None,
            source=line["source"],
        )
    return found


def look_up(method: str, dataset: str, ipc: int, network: str, protocol: str = "") -> Published | None:
    """What is printed for this setting, or None. A re-encoded data set takes the original's number.

    protocol: matters where a method's paper prints figures of two, under two names.
    """
    name = PRINTED_AS.get((method, protocol), method)
    return published_numbers().get((name, ORIGINAL.get(dataset, dataset), ipc, network))


ORIGINAL = {"cifar10-jpeg": "cifar10"}
PRINTED_AS = {("infer", "infer-dynamic-v1"): "infer-dyn"}
