"""Curves as a table: methods down, steps across."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tabulate import tabulate

from ddbench.evaluate.continual.curve import Curve


def render(curves: Sequence[Curve], form: str) -> str:
    """The table in a form: ``text``, ``markdown``, ``csv`` or ``json`` (the curves' documents).

    Accuracies are in %, mean and population standard deviation over all networks of all class orders.
    """
    if form == "json":
        return json.dumps([curve.document() for curve in curves], indent=2)
    heads = ["method", "ipc", *(f"{count} classes" for count in curves[0].seen), "average"]
    if form == "csv":
        spreads = [head for count in curves[0].seen for head in (f"{count} classes", f"{count} classes std")]
        lines = [["method", "ipc", *spreads, "average"], *(_plain(curve) for curve in curves)]
        return "\n".join(",".join(line) for line in lines)
    rows = [[curve.label, _ipc(curve), *_cells(curve), f"{100 * curve.average:.1f}"] for curve in curves]
    style = "github" if form == "markdown" else "simple"
    return tabulate(rows, headers=heads, tablefmt=style, stralign="right", colalign=("left",), disable_numparse=True)


def caption(curves: Sequence[Curve]) -> str:
    """What the table is about, and how its memories came about."""
    about = curves[0].scores[0][0].question
    orders, networks = len(curves[0].scores), len(about.seeds)
    hows = {curve.scores[0][-1].question.how: [] for curve in curves}
    for curve in curves:
        asked = curve.scores[0][-1].question
        hows[asked.how].append(f"{curve.label} ({asked.protocol}, {asked.epochs} epochs)")
    return "\n".join(
        [
            f"{about.dataset} · {about.network} · {about.steps} steps · {_counted(orders, 'class order')} · "
            f"{_counted(networks, 'network')} each",
            "accuracy: % of the test images of all classes seen so far, mean ± population std over orders and networks",
            *(f"{', '.join(dict.fromkeys(labels))}: {how}" for how, labels in hows.items()),
            *(f"note: {note}" for note in _first_notes(curves)),
        ]
    )


def _first_notes(curves: Sequence[Curve]) -> list[str]:
    """One note a curve, and how many more its document has."""
    found = [curve.document()["notes"] for curve in curves]
    return [notes[0] + (f" (and {len(notes) - 1} more)" if len(notes) > 1 else "") for notes in found if notes]


def _cells(curve: Curve) -> list[str]:
    return [f"{100 * mean:.1f} ± {100 * std:.1f}" for mean, std in zip(curve.mean, curve.std, strict=True)]


def _plain(curve: Curve) -> list[str]:
    numbers = [f"{100 * n:.2f}" for pair in zip(curve.mean, curve.std, strict=True) for n in pair]
    return [curve.label, _ipc(curve), *numbers, f"{100 * curve.average:.2f}"]


def _ipc(curve: Curve) -> str:
    return "-" if curve.ipc is None else str(curve.ipc)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"
