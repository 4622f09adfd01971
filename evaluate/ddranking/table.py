"""Measurements as text for a terminal, Markdown, JSON, LaTeX, or the columns of DD-Ranking's own leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any

from ddbench.evaluate.ddranking.measurement import Measurement
from ddbench.evaluate.ddranking.published import look_up
from ddbench.evaluate.ddranking.scores import spread
from ddbench.evaluate.leaderboard.formatting import percent
from ddbench.files.tables import Report, Table, table_of

LEADERBOARD_COLUMNS = ("method", "ref", "verified", "date", "dataset", "ipc", "label_type", "hlr", "ior")
"""Of DD-Ranking's ``data.csv``; hlr and ior there are percentage points."""

THEIR_NAMES = {
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "tiny-imagenet": "TinyImageNet",
    "imagenet": "ImageNet1K",
    "imagenette": "ImageNette",
    "imagewoof": "ImageWoof",
    "imagemeow": "ImageMeow",
    "imagesquawk": "ImageSquawk",
    "imagefruit": "ImageFruit",
    "imageyellow": "ImageYellow",
}
"""Data sets as the ``ddranking`` package calls them; others keep our name."""


def render(measurements: Sequence[Measurement], form: str = "text") -> str:
    """Write measurements, without a newline at the end.

    Args:
        measurements: Robust scores of synthetic sets.
        form: One of ``ddbench.files.tables.FORMS``; CSV has the columns of DD-Ranking's own leaderboard.

    Returns:
        The text.

    Raises:
        UserError: Another form.
    """
    return Report(
        blocks=_blocks(measurements),
        records=list(map(_record, measurements)),
        document=[measurement.document() for measurement in measurements],
        columns=LEADERBOARD_COLUMNS,
    ).write(form)


def _record(each: Measurement) -> dict[str, Any]:
    """A line of the leaderboard. ref is empty, and verified false, for whoever submits it to fill in."""
    label = each.label_robustness
    points = [Decimal(f"{100 * fmean(runs):.2f}") for runs in (label.hlr, label.ior)]
    dataset = THEIR_NAMES.get(each.dataset, each.dataset)
    cells = [each.method, "", "false", each.date, dataset, each.ipc, each.track, *points]
    return dict(zip(LEADERBOARD_COLUMNS, cells, strict=True))


def _blocks(measurements: Sequence[Measurement]) -> list[Table | str]:
    blocks: list[Table | str] = [_scores(measurements)]
    for each in measurements:
        notes = [f"note: {note}" for note in each.notes]
        notes += [f"note: {name}: {note}" for name, side in each.sides.items() for note in side.notes]
        blocks += [_title(each), _sides(each), *(["\n".join(notes)] if notes else [])]
    printed = any(look_up(each.method, each.dataset, each.ipc, each.track) for each in measurements)
    return [*blocks, _LEGEND + (_PRINTED if printed else "")]


def _title(each: Measurement) -> str:
    mode = f", mode {each.labels}" if each.labels else ""
    return f"{each.method} · {each.dataset} · ipc {each.ipc} · {each.network} · {each.track} track{mode}"


def _scores(measurements: Sequence[Measurement]) -> Table:
    table_rows = []
    for each in measurements:
        label, augmentation = each.label_robustness, each.augmentation_robustness
        printed = look_up(each.method, each.dataset, each.ipc, each.track)
        cells = {
            "set": _title(each),
            "HLR": percent(*spread(label.hlr)),
            "IOR": percent(*spread(label.ior)),
            "printed": "" if printed is None else f"{100 * printed.hlr:.1f}, {100 * printed.ior:.1f} %",
            "w": f"{each.weight:g}",
            "alpha": "{:+.4f} ± {:.4f}".format(*spread(label.alpha)),
            "LRS": percent(*spread(label.lrs)),
        }
        if augmentation is not None:
            cells["gamma"] = f"{each.ars_weight:g}"
            cells["beta"] = "{:+.4f} ± {:.4f}".format(*spread(augmentation.beta))
            cells["ARS"] = percent(*spread(augmentation.ars))
        table_rows.append(cells)
    shown = {head for cells in table_rows for head, cell in cells.items() if cell}
    return table_of([{head: cell for head, cell in cells.items() if head in shown} for cells in table_rows], ruled=True)


def _sides(each: Measurement) -> Table:
    table_rows = []
    for name, side in each.sides.items():
        tried = ", ".join(f"{rate:g}: {100 * fmean(runs):.1f}" for rate, runs in side.tried)
        table_rows.append(
            [
                name,
                "given" if side.given else f"{side.recipe}, {side.epochs} epochs",
                "" if side.lr is None else f"{side.lr:g}",
                percent(*spread(side.accuracy)),
                " ".join(f"{100 * accuracy:.1f}" for accuracy in side.accuracy),
                tried,
            ]
        )
    heads = ["side", "recipe", "rate", "accuracy", "by run", "on validation, by rate"]
    return Table(heads=heads, rows=table_rows, ruled=True)


_LEGEND = """\
HLR: real less synthetic, both with hard labels, small is good; IOR: synthetic less random images, large is good; points
alpha = w IOR - (1 - w) HLR, a fraction; LRS = (e^alpha - 1/e) / (e - 1/e): 26.9 % where alpha is 0, so look at both
test accuracy after the last epoch, mean ± population std over the runs; every side had the same rates to choose from"""

_PRINTED = "\nprinted: HLR and IOR on DD-Ranking's own leaderboard, measured by another recipe"
