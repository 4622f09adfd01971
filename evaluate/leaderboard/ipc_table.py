"""Methods against images per class: what a block of the leaderboard looks like at a glance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from statistics import fmean
from typing import Any

from ddbench.evaluate.leaderboard.over_seeds import plus_minus

Line = dict[str, Any]
"""A row of the leaderboard: the keys of ``ddbench.evaluate.leaderboard.ranking.leaderboard``."""

Name = tuple[str, str]
"""A label, and the student where that is shown."""


class ByIpc:
    """The rows of one block, one line a method's label, one column an ipc.

    lines: in the leaderboard's order. Where a label has several rows at an ipc, those after the first stand in further
    lines below. The method with the best mean over the ipcs comes first; so that one with gaps falls where it belongs,
    it is the mean distance from what methods reach at each ipc on average. Rows chosen on the test split do not count.
    """

    def __init__(self, entries: Sequence[Line]) -> None:
        self.students = shown_students(entries)
        stacks: dict[Name, list[dict[int, Line]]] = {}
        for entry, student in zip(entries, self.students or [""] * len(entries), strict=True):
            stack = stacks.setdefault((entry["label"], student), [])
            if all(entry["ipc"] in row for row in stack):
                stack.append({})
            next(row for row in stack if entry["ipc"] not in row)[entry["ipc"]] = entry
        self.ipcs = sorted({entry["ipc"] for entry in entries})
        merit = _merits({name: stack[0] for name, stack in stacks.items()}, self.ipcs)
        order = sorted(stacks, key=lambda name: (-merit[name], name))
        self.rows = [(label, student, row) for label, student in order for row in stacks[label, student]]
        self.has_further_lines = len(self.rows) > len(stacks)

    def cells(self) -> list[list[str]]:
        """Cells of the table, aligned part by part in each column.

        Returns:
            Head and body. A cell is ``89.4 ± 0.6 * (46.3)``, in percent; a single network has no ±.
        """
        columns = [["method", *(label for label, _, _ in self.rows)]]
        if self.students:
            columns.append(["student", *(student for _, student, _ in self.rows)])
        labels = {label for label, _, _ in self.rows}
        columns += [_column(f"ipc {ipc}", [row.get(ipc) for _, _, row in self.rows], labels) for ipc in self.ipcs]
        return [list(row) for row in zip(*columns, strict=True)]


def shown_students(entries: Sequence[Line]) -> list[str]:
    """Networks that sets were distilled with, where a reader needs them.

    Args:
        entries: Lines of a block.

    Returns:
        One a line, "" for none; empty where that is the network of the block in every line, or nothing.
    """
    named = [entry["student"] if isinstance(entry["student"], str) else "" for entry in entries]
    same = all(student in ("", entry["network"]) for entry, student in zip(entries, named, strict=True))
    return [] if same else named


def _merits(rows: Mapping[Name, Mapping[int, Line]], ipcs: Sequence[int]) -> dict[Name, float]:
    honest = {
        name: {
            ipc: entry["over_seeds"]["score"]["mean"] for ipc, entry in row.items() if entry["selection"] != "oracle"
        }
        for name, row in rows.items()
    }
    average = {ipc: fmean([means[ipc] for means in honest.values() if ipc in means] or [0.0]) for ipc in ipcs}
    return {
        name: fmean(mean - average[ipc] for ipc, mean in means.items()) if means else -math.inf
        for name, means in honest.items()
    }


def _column(head: str, entries: Sequence[Line | None], labels: Set[str]) -> list[str]:
    parts = [("", "", "", "") if entry is None else _parts(entry, labels) for entry in entries]
    mean, std, mark, beside = (max(map(len, part)) for part in zip(*parts, strict=True))
    signs = [" ± " if s else "   " if std else "" for _, s, _, _ in parts]
    accuracies = [f"{m:>{mean}}{sign}{s:>{std}}" if m else "-" for (m, s, _, _), sign in zip(parts, signs, strict=True)]
    width = max(map(len, (head, *accuracies)))
    tails = [f"{m:<{mark}}{b:>{beside}}" for _, _, m, b in parts]
    body = [f"{accuracy:>{width}}{tail}" for accuracy, tail in zip(accuracies, tails, strict=True)]
    return [f"{head:>{width}}{'':{mark + beside}}", *body]


def _parts(entry: Line, labels: Set[str]) -> tuple[str, str, str, str]:
    """Mean, standard deviation, mark, and the published figure in brackets.

    labels: of the block. A method's figure stands in the line that has its name, where there is one, and in no variant.
    """
    mark = " *" if entry["best"] else " !" if entry["selection"] == "oracle" else " ~" if entry["unranked"] else ""
    variant = entry["label"] != entry["method"] and entry["method"] in labels
    beside = "" if variant or math.isnan(entry["published"]) else f" ({100 * entry['published']:.1f})"
    score = entry["over_seeds"]["score"]
    return f"{100 * score['mean']:.1f}", plus_minus(score), mark, beside
