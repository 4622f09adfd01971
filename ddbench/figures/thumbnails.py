"""Synthetic sets as pictures small enough to be sent along: those of the leaderboard page."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.figures.image_grid import classes_of, compensator_rows, displayable, stored_images, tile
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet

if TYPE_CHECKING:
    from PIL.Image import Image

    from ddbench.graphs.synthetic_graphs import SyntheticGraphs

CLASSES = 10
IMAGES = 10
"""How many classes, and images of each, are drawn."""

GRAPHS = 4
"""The same of graphs, which take more room."""

SIDE = 640
"""Pixels of the picture's longer side, at most."""


def thumbnails(
    files: Mapping[str, Path], total: int, limit: int, progress: Progress, draw: Callable[[Path], bytes | None]
) -> dict[str, bytes]:
    """Draw sets that can be read, and whose preprocessing can be undone.

    Args:
        files: Files of the sets by hash.
        total: Bytes of all pictures; nothing is drawn beyond it.
        limit: Bytes of one picture.
        progress: Shown while they are drawn.
        draw: Draws the set of a file; None where there is no such picture.

    Returns:
        Pictures by hash, PNG or WebP.
    """
    pictures: dict[str, bytes] = {}
    progress.start(len(files), "pictures")
    for done, (digest, path) in enumerate(files.items(), start=1):
        if sum(map(len, pictures.values())) + limit > total:
            break
        with suppress(UserError):
            if (picture := draw(path)) is not None:
                pictures[digest] = picture
        progress.update(done)
    progress.close()
    return pictures


def thumbnail(syn: SyntheticSet, preprocessing: Preprocessing, limit: int) -> bytes:
    """Draw the first classes and images of a set.

    One row a class; at ipc 1 two rows in all. Compensators stand below, one row a teacher. What is too large even so is
    drawn smaller.

    Args:
        syn: The set, on the CPU.
        preprocessing: Its preprocessing, which is undone.
        limit: Bytes of the picture, at most.

    Returns:
        A PNG, or a WebP where that would take more bytes.
    """
    import torch
    from PIL import Image

    classes = classes_of(syn)
    rows = [torch.nonzero(classes == label).flatten()[:IMAGES] for label in range(min(syn.classes, CLASSES))]
    rows = [row for row in rows if len(row)]
    if all(len(row) == 1 for row in rows):
        rows = list(torch.cat(rows).split(max(1, (len(rows) + 1) // 2)))
    chosen = torch.cat(rows)
    images = displayable(preprocessing.to("cpu").inverse(stored_images(syn)[chosen]))
    added = [row[:IMAGES] for row in compensator_rows(syn).values()]
    grid = tile([*images.split([len(row) for row in rows]), *added])
    picture = Image.fromarray((grid.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
    longer = max(picture.size)
    if longer < SIDE // 2:
        factor = SIDE // 2 // longer + 1
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    elif longer > SIDE:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return _within(picture, limit)


def graph_thumbnail(syn: SyntheticGraphs, limit: int) -> bytes:
    """Draw the first classes and items of a set of graphs, without words.

    Args:
        syn: The set.
        limit: Bytes of the picture, at most.

    Returns:
        A PNG, or a WebP as in :func:`thumbnail`.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    from ddbench.figures.graph_grid import figure_of

    figure = figure_of(syn, classes=GRAPHS, items=GRAPHS, words=False)
    figure.set_dpi(SIDE / max(figure.get_size_inches()))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _within(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), limit)


def _within(picture: Image, limit: int) -> bytes:
    encoded = _encoded(picture, "PNG", optimize=True)
    for quality in (85, 70, 50):
        if len(encoded) <= limit:
            return encoded
        encoded = _encoded(picture, "WEBP", quality=quality)
    while len(encoded) > limit and min(picture.size) > 16:
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))
        encoded = _encoded(picture, "WEBP", quality=50)
    return encoded


def _encoded(picture: Image, form: str, **how: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, format=form, **how)
    return target.getvalue()
