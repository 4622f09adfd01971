"""HLR and IOR as DD-Ranking's own leaderboard prints them, to stand beside measured ones and never among them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ddbench.evaluate.leaderboard.published import ORIGINAL


@dataclass(frozen=True, kw_only=True)
class Printed:
    """Scores that DD-Ranking's leaderboard prints."""

    hlr: float
    """Hard label recovery, a fraction."""
    ior: float
    """Improvement over random, a fraction."""
    source: str
    """Page that prints both."""


@cache
def printed_numbers() -> dict[tuple[str, str, int, str], Printed]:
    """Every line of ``published.csv``.

    Returns:
        HLR and IOR as fractions, where the file has points, by (method, dataset, ipc, track).
    """
    text = files("ddbench.evaluate.ddranking").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        (line["method"], line["dataset"], int(line["ipc"]), line["track"]): Printed(
            hlr=float(line["hlr"]) / 100, ior=float(line["ior"]) / 100, source=line["source"]
        )
        for line in csv.DictReader(text.splitlines())
    }


def look_up(method: str, dataset: str, ipc: int, track: str) -> Printed | None:
    """Printed numbers of a setting. A re-encoded data set takes the original's.

    Args:
        method: Name of the method, as rows have it.
        dataset: Name of the data set, as rows have it.
        ipc: Images per class.
        track: "hard" or "soft".

    Returns:
        The numbers, None where nothing is printed.
    """
    return printed_numbers().get((method, ORIGINAL.get(dataset, dataset), ipc, track))
