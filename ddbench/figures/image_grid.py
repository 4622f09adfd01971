"""A synthetic set as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ddbench.artifact import replacing
from ddbench.data.preprocessing import Preprocessing
from ddbench.synthetic.compensators import seen_pixels
from ddbench.synthetic.synthetic_set import SyntheticSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 20
"""Classes and images a class that are drawn; more would be too small to see."""


def draw(syn: SyntheticSet, preprocessing: Preprocessing, path: Path) -> None:
    """Write the picture of a set as a PNG, atomically; see :func:`figure_of`.

    Args:
        syn: The set.
        preprocessing: Its preprocessing, which is undone.
        path: File to write.
    """
    figure = figure_of(syn, preprocessing)
    with replacing(path) as part:
        figure.savefig(part, format="png", bbox_inches="tight", pad_inches=0.1)


def figure_of(syn: SyntheticSet, preprocessing: Preprocessing) -> Figure:
    """Draw a grid of a set's images, one row a class, or one row in all at ipc 1.

    Values beyond 2.5 standard deviations of an image are cut, and what leaves [0, 1] is squeezed into it, for display
    only, so that a few extreme pixels do not turn the rest grey (as the authors of MTT advise). Compensators, where
    there are any, stand below, each stretched to its own range.

    Args:
        syn: The set.
        preprocessing: Its preprocessing, which is undone.

    Returns:
        The figure, without a window.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = classes_of(syn)
    images = displayable(preprocessing.to("cpu").inverse(stored_images(syn)[classes.argsort(stable=True)]))
    counts = torch.bincount(classes, minlength=syn.classes)[:MOST]
    names = [name[:14] for name in syn.class_names[: len(counts)]]
    rows = [part[:MOST] for part in images[: int(counts.sum())].split(counts.tolist())]
    in_one_row = all(len(row) == 1 for row in rows)
    grids = [tile([torch.cat(rows)] if in_one_row else rows)]
    added = compensator_rows(syn)
    if added:
        grids.append(tile(list(added.values())))
    heights = [grid.shape[0] for grid in grids]
    width = max(grid.shape[1] for grid in grids)
    side = syn.images.shape[-1] + 1
    inches = max(0.45, min(0.9, 8 / max(width // side, 1)))
    figure = Figure(figsize=(width / side * inches + 1.4, sum(heights) / side * inches + 0.9 * len(grids)), dpi=110)
    FigureCanvasAgg(figure)
    parts = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, grid in zip(parts, grids, strict=True):
        _show(axes, grid, width)
    places = [side * i + side / 2 for i in range(len(names))]
    if in_one_row:
        short = max(map(len, names)) < 4
        parts[0].set_xticks(places, names, rotation=0 if short else 45, ha="center" if short else "right")
    else:
        parts[0].set_yticks(places, names)
    shown = "" if syn.classes <= MOST and syn.ipc <= MOST else f" (the first {MOST})"
    natural = ": natural images" if syn.compensation is not None else ""
    how = {"fontsize": 10, "loc": "left" if added else "center"}
    parts[0].set_title(f"{syn.method} on {syn.dataset}, ipc {syn.ipc}{natural}{shown}", **how)
    if added:
        parts[1].set_yticks([side * i + side / 2 for i in range(len(added))], list(added))
        parts[1].set_title(_about_compensators(syn), **how)
    figure.tight_layout()
    return figure


def _show(axes: Axes, grid: Tensor, width: int) -> None:
    """A picture without axes, at the left of a place that is so many pixels wide."""
    axes.imshow(grid.numpy(), interpolation="nearest", cmap="gray", vmin=0, vmax=1)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def compensator_rows(syn: SyntheticSet) -> dict[str, Tensor]:
    """Prepare compensators for drawing, each about grey and stretched to its own range.

    One a natural set where all classes share it, else those of the classes for the first natural set.

    Args:
        syn: The set.

    Returns:
        Images (n, C, H, W) in [0, 1] by teacher; empty for other sets.
    """
    if syn.compensation is None or not syn.compensation.teachers:
        return {}
    added = syn.compensation.compensators.cpu().float()[:MOST]
    added = added[:, :MOST, 0] if added.shape[2] == 1 else added[:, 0, :MOST]
    most = 2.5 * added.std((2, 3, 4), keepdim=True, correction=0).clamp(min=1e-12)
    shown = (0.5 + 0.5 * added / most).clamp(0, 1)
    teachers = syn.provenance.get("teachers")
    named = teachers.get("networks") if isinstance(teachers, dict) else None
    named = named if isinstance(named, list) and len(named) == syn.compensation.teachers else [""] * MOST
    return {
        f"{number}: {name}"[:18].rstrip(": "): row
        for number, (name, row) in enumerate(zip(named, shown, strict=False), 1)
    }


def _about_compensators(syn: SyntheticSet) -> str:
    shared = syn.compensation is not None and syn.compensation.compensators.shape[2] == 1
    of_what = "one a natural set" if shared else "of the first natural set, one a class"
    return f"compensators, a row a teacher: {of_what}"


def stored_images(syn: SyntheticSet) -> Tensor:
    """Take the images as they are stored, in the space of the set's preprocessing.

    Args:
        syn: The set.

    Returns:
        (S, C, H, W), float32, on the CPU.
    """
    return seen_pixels(syn.images.cpu(), syn.preprocessing).float()


def classes_of(syn: SyntheticSet) -> Tensor:
    """Tell the class that each stored image was made for; of compensated sets these are the natural ones.

    Args:
        syn: The set.

    Returns:
        (S,), int64, on the CPU.
    """
    if syn.compensation is not None:
        return torch.arange(syn.classes).repeat(len(syn) // syn.classes)
    return syn.made_for().cpu()


def displayable(images: Tensor) -> Tensor:
    """Cut images to 2.5 standard deviations about each one's mean, then squeeze them into [0, 1] if need be.

    Args:
        images: (n, C, H, W).

    Returns:
        (n, C, H, W), in [0, 1].
    """
    mean, spread = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
    images = images.clamp(mean - 2.5 * spread, mean + 2.5 * spread)
    low, high = images.amin((1, 2, 3), keepdim=True).clamp(max=0), images.amax((1, 2, 3), keepdim=True).clamp(min=1)
    return (images - low) / (high - low)


def tile(rows: list[Tensor]) -> Tensor:
    """Join rows of images to one picture, one white pixel between them.

    Args:
        rows: Images of each row, (n_i, C, H, W), in [0, 1].

    Returns:
        (height, width, 3).
    """
    side, widest = rows[0].shape[-1] + 1, max(map(len, rows))
    canvas = torch.ones(len(rows) * side - 1, widest * side - 1, 3)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            canvas[i * side : (i + 1) * side - 1, j * side : (j + 1) * side - 1] = image.permute(1, 2, 0)
    return canvas
