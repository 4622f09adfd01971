"""A synthetic set as a picture."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ddbench.artefact import replacing
from ddbench.data.preprocessing import Preprocessing
from ddbench.synthetic import SyntheticSet

MOST = 20
"""Classes and images a class that are drawn; more would be too small to see."""


def draw(syn: SyntheticSet, preprocessing: Preprocessing, path: Path) -> None:
    """Write a PNG grid of the set's images, preprocessing undone; one row a class, or one row in all at ipc 1.

    Values beyond 2.5 standard deviations of an image are cut, and what leaves [0, 1] is squeezed into it, for display
    only, so that a few extreme pixels do not turn the rest grey (as the authors of MTT advise).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = classes_of(syn)
    images = displayable(preprocessing.to("cpu").inverse(syn.images[classes.argsort(stable=True)].cpu()))
    counts = torch.bincount(classes, minlength=syn.classes)[:MOST]
    names = [name[:14] for name in syn.class_names[: len(counts)]]
    rows = [part[:MOST] for part in images[: int(counts.sum())].split(counts.tolist())]
    in_one_row = all(len(row) == 1 for row in rows)
    grid = tile([torch.cat(rows)] if in_one_row else rows)
    height, width = grid.shape[:2]
    side = syn.images.shape[-1] + 1
    inches = max(0.45, min(0.9, 8 / max(width // side, 1)))
    figure = Figure(figsize=(width / side * inches + 1.4, height / side * inches + 0.9), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(grid.numpy(), interpolation="nearest", cmap="gray", vmin=0, vmax=1)
    places = [side * i + side / 2 for i in range(len(names))]
    if in_one_row:
        short = max(map(len, names)) < 4
        axes.set_xticks(places, names, rotation=0 if short else 45, ha="center" if short else "right")
        axes.set_yticks([])
    else:
        axes.set_yticks(places, names)
        axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    shown = "" if syn.classes <= MOST and syn.ipc <= MOST else f" (the first {MOST})"
    axes.set_title(f"{syn.method} on {syn.dataset}, ipc {syn.ipc}{shown}", fontsize=10)
    figure.tight_layout()
    with replacing(path) as part:
        figure.savefig(part, format="png", bbox_inches="tight", pad_inches=0.1)


def classes_of(syn: SyntheticSet) -> Tensor:
    """The class each image was made for, (S,) int64, on the CPU.

    Soft labels may see something else in an image, so there it is told by its place: sets are class-major.
    """
    if syn.label_kind == "hard" or len(syn) != syn.classes * syn.ipc:
        return syn.hard_labels().cpu()
    return torch.arange(syn.classes).repeat_interleave(syn.ipc)


def displayable(images: Tensor) -> Tensor:
    """Images (n, C, H, W) in [0, 1]: cut to 2.5 standard deviations about each one's mean, then squeezed if need be."""
    mean, spread = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
    images = images.clamp(mean - 2.5 * spread, mean + 2.5 * spread)
    low, high = images.amin((1, 2, 3), keepdim=True).clamp(max=0), images.amax((1, 2, 3), keepdim=True).clamp(min=1)
    return (images - low) / (high - low)


def tile(rows: list[Tensor]) -> Tensor:
    """Rows of images (n_i, C, H, W) as one picture (height, width, 3), one white pixel between them."""
    side, widest = rows[0].shape[-1] + 1, max(map(len, rows))
    canvas = torch.ones(len(rows) * side - 1, widest * side - 1, 3)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            canvas[i * side : (i + 1) * side - 1, j * side : (j + 1) * side - 1] = image.permute(1, 2, 0)
    return canvas
