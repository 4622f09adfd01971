"""Synthetic sets as notebooks show them: a picture and the facts beside it."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.whitening_cache import load_preprocessing
from ddbench.errors import UserError
from ddbench.figures.image_grid import figure_of
from ddbench.figures.thumbnails import thumbnail
from ddbench.runtime.home import home_folder
from ddbench.synthetic.synthetic_set import SyntheticSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_BYTES = 200_000
"""Bytes of the picture in a notebook, at most."""


def as_figure(syn: SyntheticSet, home: str | Path | None = None) -> Figure:
    """Draw a set as a matplotlib figure.

    Args:
        syn: The set.
        home: Folder of the whitening of a ZCA set; None takes the default home.

    Returns:
        The figure. Notebooks draw it where it is the last value of a cell.

    Raises:
        UserError: The set is whitened, and its whitening is not in the home.
    """
    with suppress(Exception):  # registers how notebooks draw figures; no backend at all is no reason to fail
        import matplotlib.pyplot  # noqa: F401
    return figure_of(syn, load_preprocessing(syn.preprocessing, home_folder(home)))


def as_html(syn: SyntheticSet) -> str:
    """Describe a set as HTML.

    Args:
        syn: The set.

    Returns:
        A table of facts beside the first classes and images, as a data URI. A whitened set whose whitening is not in
        the default home is drawn as it is stored, which its facts then say.
    """
    whitened = False
    try:
        preprocessing = load_preprocessing(syn.preprocessing, home_folder())
    except UserError:
        preprocessing, whitened = Preprocessing.identity(), True
    picture = thumbnail(syn.to("cpu"), preprocessing, PICTURE_BYTES)
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in _facts(syn, whitened))
    form = "webp" if picture[:4] == b"RIFF" else "png"
    return (
        '<div style="display: flex; gap: 1em; align-items: flex-start">'
        f'<img alt="synthetic images" style="max-height: 320px" src="data:image/{form};base64,'
        f'{b64encode(picture).decode()}"/><table>{lines}</table></div>'
    )


def _facts(syn: SyntheticSet, whitened: bool) -> list[tuple[str, str]]:
    shape = "x".join(str(side) for side in syn.images.shape[1:])
    mosaic = f", mosaics of {syn.formation} x {syn.formation}" if syn.formation > 1 else ""
    facts = [
        ("method", syn.method),
        ("data set", f"{syn.dataset}, {syn.classes} classes"),
        ("images per class", str(syn.ipc)),
        ("images", f"{len(syn)}, {shape}{mosaic}"),
        ("labels", syn.label_kind),
        ("network", syn.network),
        ("preprocessing", syn.preprocessing["kind"] + (" (not undone in the picture)" if whitened else "")),
        ("size", f"{sum(syn.bytes.values()):,} bytes"),
    ]
    if syn.student_lr is not None:
        facts.insert(5, ("learned rate", f"{syn.student_lr.item():.6g}"))
    return facts
