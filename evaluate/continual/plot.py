"""Curves as a picture: accuracy against the number of classes seen, with error bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddbench.artifact import replacing
from ddbench.evaluate.continual.curve import Curve

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999933")
"""Okabe and Ito's, which the color-blind can tell apart."""
MARKS = "osD^vPX*"


def plot(curves: Sequence[Curve], path: Path) -> None:
    """Write a PNG: one line a method and ipc, one standard deviation up and down, the upper bound dashed and grey.

    Args:
        curves: Curves over the same steps; one without ipc is the upper bound.
        path: File that is written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ipcs = sorted({curve.ipc for curve in curves if curve.ipc is not None})
    for number, curve in enumerate(sorted(curves, key=lambda curve: -curve.mean[-1])):
        bound = curve.ipc is None
        nudge = 0.006 * curve.seen[-1] * (number - (len(curves) - 1) / 2)
        axes.errorbar(
            [count + nudge for count in curve.seen],
            [100 * mean for mean in curve.mean],
            yerr=[100 * std for std in curve.std],
            label="all real images" if bound else f"{curve.label}, ipc {curve.ipc}" if len(ipcs) > 1 else curve.label,
            color="0.5" if bound else COLORS[number % len(COLORS)],
            linestyle="--" if bound else "-",
            marker=MARKS[number % len(MARKS)],
            markersize=5,
            linewidth=1.6,
            capsize=3,
        )
    about = curves[0].scores[0][0].question
    axes.set_title(f"{about.dataset}, {about.steps} steps" + (f", ipc {ipcs[0]}" if len(ipcs) == 1 else ""))
    axes.set_xlabel("classes seen")
    axes.set_ylabel("accuracy on all classes seen (%)")
    axes.set_xticks(list(curves[0].seen))
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    with replacing(path) as part:
        figure.savefig(part, format="png")
