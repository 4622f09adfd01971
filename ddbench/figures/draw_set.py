"""Pictures of synthetic sets, images and graphs, from their files."""

from __future__ import annotations

import sys
from pathlib import Path

from ddbench.artifact import describe


def draw_set(file: Path, target: Path, home: Path) -> None:
    """Draw a synthetic set of images or graphs.

    Args:
        file: The set.
        target: The PNG to write.
        home: Folder of the whitening, for images that were whitened.

    Raises:
        UserError: The file is no synthetic set, or its whitening is missing.
    """
    from ddbench.graphs.synthetic_graphs import KIND as GRAPHS

    if describe(file).get("kind") == GRAPHS:
        from ddbench.figures.graph_grid import draw_graphs
        from ddbench.graphs.synthetic_graphs import load_synthetic_graphs

        draw_graphs(load_synthetic_graphs(file), target)
        return
    from ddbench.data.preprocessing import load_preprocessing
    from ddbench.figures.image_grid import draw
    from ddbench.synthetic.synthetic_set import load_synthetic

    syn = load_synthetic(file)
    draw(syn, load_preprocessing(syn.preprocessing, home), target)


def draw_if_changed(file: Path, home: Path) -> None:
    """Draw a set beside its file, unless the picture there is newer; a note on stderr where drawing fails.

    Args:
        file: The set.
        home: Folder of the whitening, for images that were whitened.
    """
    picture = file.with_suffix(".png")
    try:
        if not picture.exists() or picture.stat().st_mtime < file.stat().st_mtime:
            draw_set(file, picture, home)
    except Exception as error:  # a picture is no reason to end a run, whatever the library that draws it says
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        sys.stderr.write(f"note: the picture {picture} could not be drawn: {reason}\n")
