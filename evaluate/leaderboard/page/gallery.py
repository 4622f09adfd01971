"""The pictures of the synthetic sets, inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from ddbench.evaluate.leaderboard.formatting import percent, size
from ddbench.evaluate.leaderboard.page.markup import Html, join, name_of, tag
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow
from ddbench.evaluate.leaderboard.row import Row

PICTURE_BYTES = 40_000
"""A picture above this is left out."""

PICTURES_BYTES = 4_000_000
"""All pictures of a page together; those that come after are left out."""

_KINDS = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff": "jpeg"}


def gallery(page_rows: Sequence[PageRow], pictures: Mapping[str, bytes]) -> Html:
    """One figure a set, best rows first in each group, and how many sets have no picture; rows without a set have none.

    Args:
        pictures: PNG, WebP or JPEG files by the SHA-256 of their sets.

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
    text = []
    if without:
        text.append(f"{without} of {len(sets)} sets have no picture here: their files were not there, or not readable.")
    if left_out:
        limits = f"{size(PICTURE_BYTES)} a picture, {size(PICTURES_BYTES)} in all"
        text.append(f"{left_out} pictures were left out to keep the page small ({limits}).")
    shown_figures = tag("div", *figures, class_="pictures") if figures else ""
    return join(shown_figures, *(tag("p", sentence, class_="hint") for sentence in text))


def _figure(shown: list[tuple[PageRow, Row]], picture: bytes) -> Html:
    page_rows, row = [page_row for page_row, _ in shown], shown[0][1]
    kind = next((kind for start, kind in _KINDS.items() if picture.startswith(start)), None)
    if kind is None:
        raise ValueError("a picture must be a PNG, WebP or JPEG file")
    source = f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
    of_graphs = page_rows[0].measure == ROC_AUC
    what = "graphs" if of_graphs else "images"
    about = f"Synthetic {what} of {row.label} for {row.dataset}, ipc {row.ipc}, class by class"
    image = tag("img", src=source, alt=about, decoding="async")
    score = percent(row.score_mean, None) + (f" {ROC_AUC}" if of_graphs else "")
    under = [name_of(row.dataset), f", ipc {row.ipc} · {score} on ", name_of(row.network)]
    seed = [f" (seed {row.made_with_seed})"] if len(page_rows[0].runs) > 1 else []
    caption = tag("figcaption", tag("strong", name_of(row.label), *seed), tag("span", *under, class_="sub"))
    return tag("figure", image, caption, data_keys=" ".join(page_row.key for page_row in page_rows))
