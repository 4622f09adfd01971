"""A synthetic set of graphs as a picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddbench.artifact import replacing
from ddbench.figures.graph_layout import Layout, layout_of
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.synthetic_graphs import SyntheticGraphs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

CLASSES = 6
ITEMS = 8
"""How many classes, and items of each, are drawn."""

WIDTH, HEIGHT, GAP = 1.3, 1.05, 0.35
"""Inches of an item, and between rows, where words stand."""

NEIGHBORS = 0.2
"""Inches between neighbors, at most."""

COLORS = ("#0072b2", "#e06c1f", "#00916e", "#b0478f", "#d9a514", "#5a4fc4", "#56b4e9", "#2b2f36")
OTHERS = "#a9afb8"

Colors = dict[tuple[int, ...], str]


def draw_graphs(syn: SyntheticGraphs, path: Path) -> None:
    """Write a PNG: one row a class, its items across, the color of a node for its label.

    Sets of computation trees are drawn as trees, roots on top, with the number of training graphs that have them. Of
    what is too large to be seen the beginning is drawn, and how many nodes it has is written beside it.

    Args:
        syn: The set.
        path: File to write.
    """
    figure = figure_of(syn)
    with replacing(path) as part:
        figure.savefig(part, format="png", bbox_inches="tight", pad_inches=0.1)


def figure_of(syn: SyntheticGraphs, classes: int = CLASSES, items: int = ITEMS, words: bool = True) -> Figure:
    """Draw the first classes and items of a set.

    Args:
        syn: The set.
        classes: Classes that are drawn, at most.
        items: Items of each class that are drawn, at most.
        words: Whether anything is written.

    Returns:
        The figure, without a window.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = syn.hard_labels()
    rows = [(labels == label).nonzero().flatten()[:items].tolist() for label in range(min(syn.classes, classes))]
    layouts = {item: layout_of(syn.payload, item) for row in rows for item in row}
    colors = colors_of(list(layouts.values()))
    columns, step = max(map(len, rows)), HEIGHT + (GAP if words else 0.1)
    figure = Figure(figsize=(columns * WIDTH, len(rows) * step), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, columns * WIDTH), ylim=(-len(rows) * step, 0))
    for context, (name, row) in enumerate(zip(syn.class_names, rows, strict=False)):
        for column, item in enumerate(row):
            top = -context * step - 0.06
            _draw(axes, layouts[item], column * WIDTH, top, colors)
            if words:
                axes.text((column + 0.5) * WIDTH, top - HEIGHT, _under(syn, item, layouts[item]), **_WORDS)
        if words:
            class_name = f"class {name}" if name.lstrip("-").isdigit() else name[:14]
            axes.text(-0.12, -context * step - HEIGHT / 2, class_name, ha="right", va="center", fontsize=9)
    if words:
        axes.text(0, 0.1, _title(syn, classes, items), ha="left", va="bottom", fontsize=10)
        axes.legend(handles=_legend(list(layouts.values()), colors), **_LEGEND, title=_what(syn))
    return figure


_WORDS = {"ha": "center", "va": "top", "fontsize": 7.5, "color": "#565d69", "linespacing": 1.3}
_LEGEND = {
    "loc": "upper left",
    "bbox_to_anchor": (0, 0),
    "borderaxespad": 1.0,
    "borderpad": 0,
    "ncols": 9,
    "fontsize": 8,
    "title_fontsize": 8,
    "alignment": "left",
    "frameon": False,
    "handletextpad": 0.1,
    "columnspacing": 1.0,
}


def colors_of(layouts: list[Layout]) -> Colors:
    """Choose a color for each of the most frequent labels that are drawn, in the order of their codes.

    Args:
        layouts: What is drawn.

    Returns:
        Colors by codes.
    """
    counts = Counter(tuple(codes) for layout in layouts for codes in layout.codes.tolist())
    frequent = sorted(sorted(counts, key=lambda codes: (-counts[codes], codes))[: len(COLORS)])
    return dict(zip(frequent, COLORS, strict=False))


def _draw(axes: Axes, layout: Layout, left: float, top: float, colors: Colors) -> None:
    """An item in the middle of its place; what may be stretched uses the height that is there."""
    from matplotlib.collections import LineCollection

    if not len(layout.places):
        return
    everything = np.concatenate([layout.places, layout.more])
    low, high = everything.min(0), everything.max(0)
    room = np.array([WIDTH - 0.2, HEIGHT - 0.16])
    scale = np.minimum(room / np.maximum(high - low, 1e-9), (NEIGHBORS, 2 * NEIGHBORS if layout.free else NEIGHBORS))
    scale = scale if layout.free else np.full(2, scale.min())
    middle = np.array([left + WIDTH / 2, top - HEIGHT / 2])

    def at(positions: np.ndarray) -> np.ndarray:
        return middle + (positions - (low + high) / 2) * scale

    places, radius = at(layout.places), min(max(0.3 * scale.min(), 0.02), 0.05)
    width = 0.7 if len(layout.edges) < 3 * len(places) else 0.35
    axes.add_collection(LineCollection(list(places[layout.edges]), colors="#9aa1ac", linewidths=width, zorder=1))
    shown = [colors.get(tuple(codes), OTHERS) for codes in layout.codes.tolist()]
    axes.scatter(*places.T, s=(144 * radius) ** 2, c=shown, linewidths=0, zorder=2)
    for x, y in at(layout.more):
        axes.text(x, y, "…", ha="center", va="center", fontsize=7, color="#565d69")


def _under(syn: SyntheticGraphs, item: int, layout: Layout) -> str:
    support = int(syn.frequency[item])
    graphs = "" if isinstance(syn.payload, Graphs) else f"in {support:,} graph{'s' if support > 1 else ''}"
    cut = f"… {layout.nodes:,} nodes" if layout.nodes > len(layout.places) else ""
    return "\n".join(filter(None, (graphs, cut)))


def _title(syn: SyntheticGraphs, classes: int, items: int) -> str:
    most = int(syn.hard_labels().bincount().max())
    of_all = f" (the first {items} of a class)" if most > items else ""
    first = f" (the first {classes} classes)" if syn.classes > classes else ""
    return f"{syn.method} on {syn.dataset}, ipc {syn.ipc}{first}{of_all}"


def _what(syn: SyntheticGraphs) -> str:
    if isinstance(syn.payload, Graphs):
        return "node labels"
    return f"node labels; computation trees of {syn.payload.hops} hops, and how many training graphs have all of them"


def _legend(layouts: list[Layout], colors: Colors) -> list[Line2D]:
    from matplotlib.lines import Line2D

    labels = {tuple(codes) for layout in layouts for codes in layout.codes.tolist()}
    named = [(", ".join(map(str, codes)), color) for codes, color in colors.items()]
    if len(labels) > len(colors):
        named.append((f"{len(labels) - len(colors)} others", OTHERS))
    return [Line2D([], [], marker="o", ls="", color=color, ms=5, mew=0, label=name) for name, color in named]
