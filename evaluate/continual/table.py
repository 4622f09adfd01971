"""Curves as a table: methods down, steps across."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ddbench.evaluate.continual.curve import Curve
from ddbench.files.tables import Report, Table


def render(curves: Sequence[Curve], form: str) -> str:
    """Write the table; accuracies are in %, mean and population standard deviation over all networks of all orders.

    Args:
        curves: Of one data set and number of steps.
        form: One of ``ddbench.files.tables.FORMS``; JSON is the curves' documents.

    Returns:
        The text, without a newline at its end.

    Raises:
        UserError: Another form.
    """
    heads = ["method", "ipc", *(f"{count} classes" for count in curves[0].seen), "average"]
    rows = [[curve.label, _ipc(curve), *_cells(curve), f"{100 * curve.average:.1f}"] for curve in curves]
    return Report(
        blocks=[Table(heads=heads, rows=rows, left=("method",), ruled=True)],
        records=list(map(_record, curves)),
        document=[curve.document() for curve in curves],
    ).write(form)


def caption(curves: Sequence[Curve]) -> str:
    """Heading of a table: data, network, and the way in which each memory came about.

    Args:
        curves: Curves of the table, one at least; the first one's setting stands for all.

    Returns:
        Several lines, notes last.
    """
    about = curves[0].scores[0][0].question
    orders, networks = len(curves[0].scores), len(about.seeds)
    hows = {curve.scores[0][-1].question.how: [] for curve in curves}
    for curve in curves:
        question = curve.scores[0][-1].question
        hows[question.how].append(f"{curve.label} ({question.protocol}, {question.epochs} epochs)")
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
    curve_notes = [curve.document()["notes"] for curve in curves]
    return [notes[0] + (f" (and {len(notes) - 1} more)" if len(notes) > 1 else "") for notes in curve_notes if notes]


def _cells(curve: Curve) -> list[str]:
    return [f"{100 * mean:.1f} ± {100 * std:.1f}" for mean, std in zip(curve.mean, curve.std, strict=True)]


def _record(curve: Curve) -> dict[str, Any]:
    record: dict[str, Any] = {"method": curve.label, "ipc": _ipc(curve)}
    for count, mean, std in zip(curve.seen, curve.mean, curve.std, strict=True):
        record |= {f"{count} classes": _percent(mean), f"{count} classes std": _percent(std)}
    return {**record, "average": _percent(curve.average)}


def _percent(fraction: float) -> Decimal:
    return Decimal(f"{100 * fraction:.2f}")


def _ipc(curve: Curve) -> str:
    return "-" if curve.ipc is None else str(curve.ipc)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"
