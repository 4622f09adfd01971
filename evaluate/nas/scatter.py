"""A picture of a ranking: what networks score on each proxy against what they reach when trained on real data."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from ddbench.artifact import replacing
from ddbench.evaluate.nas.ranking import Ranking, RankingEntry
from ddbench.evaluate.nas.report import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 3


def scatter(ranking: Ranking, path: Path) -> None:
    """Write a PNG with one panel a ranking: a dot a network, the chosen one and the truly best one marked.

    Args:
        ranking: Ranking.
        path: File that is written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(ranking.entries)
    across = min(ACROSS, count)
    down = -(-count // across)
    figure = Figure(figsize=(3.4 * across + 0.4, 3.2 * down + 0.9), dpi=120)
    FigureCanvasAgg(figure)
    for number, entry in enumerate(ranking.entries, start=1):
        _panel(figure.add_subplot(down, across, number), ranking, entry)
    figure.suptitle(title(ranking), fontsize=9)
    figure.tight_layout()
    with replacing(path) as part:
        figure.savefig(part, format="png")


def _panel(axes: Axes, ranking: Ranking, entry: RankingEntry) -> None:
    from matplotlib.ticker import NullFormatter

    counted = not entry.images
    across = [fmean(entry.scores[network]) * (1 if counted else 100) for network in ranking.networks]
    up = [100 * fmean(ranking.truth.accuracy[network]) for network in ranking.networks]
    axes.scatter(across, up, s=14, color="#33658a", alpha=0.75, linewidths=0)
    for network, mark, color, word in (
        (ranking.best, "o", "#2a9d3a", "best"),
        (entry.chosen, "s", "#c8553d", "chosen"),
    ):
        at = ranking.networks.index(network)
        axes.scatter(across[at], up[at], s=52, marker=mark, facecolors="none", edgecolors=color, label=word)
    if counted:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    rho = entry.measures["spearman"].value
    axes.set_title(f"{entry.label}\nSpearman {'undefined' if rho is None else f'{rho:.2f}'}", fontsize=9)
    axes.set_xlabel("parameters" if counted else "validation accuracy, trained on this, %", fontsize=8)
    axes.set_ylabel("trained on real images, %", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, loc="lower right", frameon=False)
