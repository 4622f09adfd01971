"""The pictures of the synthetic sets, inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddbench.evaluate.leaderboard.formatting import percent, size
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow
from ddbench.evaluate.leaderboard.row import Row

PICTURE_BYTES = 40_000
"""A picture above this is left out."""

PICTURES_BYTES = 4_000_000
"""All pictures of a page together; those that come after are left out."""

_KINDS = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff": "jpeg"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One set with its picture."""

    row: Row
    """First row of the set."""
    keys: Sequence[str]
    """Keys of all its rows."""
    source: str
    """Picture as a data URL."""
    items: str
    """What the set holds: images or graphs."""
    score: str
    """Result of the first row, in words."""
    several: bool
    """Whether the method was distilled with several seeds."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures that the page shows, and counts of those that it does not."""

    figures: Sequence[Figure]
    """Sets with a picture, the best rows first in each group."""
    sets: int
    """Sets in all."""
    without: int
    """Sets without a picture."""
    left_out: int
    """Pictures that are too large."""
    limits: str
    """How large they may be, in words."""


def gallery(page_rows: Sequence[PageRow], pictures: Mapping[str, bytes]) -> Gallery:
    """Collect one figure a set; rows without a set have none.

    Args:
        page_rows: Rows of the page.
        pictures: PNG, WebP or JPEG files by the SHA-256 of their sets.

    Returns:
        The figures, and how many sets have none.

    Raises:
        ValueError: A file of another kind.
    """
    sets: dict[str, list[tuple[PageRow, Row]]] = {}
    for page_row in page_rows:
        for run in () if page_row.no_learning else page_row.runs:
            sets.setdefault(run.synthetic_sha256, []).append((page_row, run))
    figures, without, left_out, total = [], 0, 0, 0
    for digest, shown in sets.items():
        picture = pictures.get(digest)
        if picture is None:
            without += 1
        elif len(picture) > PICTURE_BYTES or total + len(picture) > PICTURES_BYTES:
            left_out += 1
        else:
            total += len(picture)
            figures.append(_figure(shown, picture))
    limits = f"{size(PICTURE_BYTES)} a picture, {size(PICTURES_BYTES)} in all"
    return Gallery(figures=figures, sets=len(sets), without=without, left_out=left_out, limits=limits)


def _figure(shown: list[tuple[PageRow, Row]], picture: bytes) -> Figure:
    page_row, row = shown[0]
    kind = next((kind for start, kind in _KINDS.items() if picture.startswith(start)), None)
    if kind is None:
        raise ValueError("a picture must be a PNG, WebP or JPEG file")
    of_graphs = page_row.measure == ROC_AUC
    return Figure(
        row=row,
        keys=[page_row.key for page_row, _ in shown],
        source=f"data:image/{kind};base64,{base64.b64encode(picture).decode()}",
        items="graphs" if of_graphs else "images",
        score=percent(row.score_mean, None) + (f" {ROC_AUC}" if of_graphs else ""),
        several=len(page_row.runs) > 1,
    )
