"""``ddbench leaderboard``: tables from rows, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddbench.commands import options
from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.evaluate.leaderboard.row import Row


class LeaderboardFormat(StrEnum):
    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"
    latex = "latex"
    html = "html"


def leaderboard(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RESULTS]...", help="Folders of rows, or single rows.  [default: HOME/results]", show_default=False
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(metavar="NAME", help="Only this data set.", show_default=False)] = None,
    ipc: Annotated[
        int | None, typer.Option(metavar="N", help="Only this many images per class.", show_default=False)
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this protocol.", show_default=False)
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="One line a row, with seeds, selection, time and bytes.")
    ] = False,
    home: options.Home = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write, and print the path instead.  [default: stdout; of html, HOME/leaderboard.html]",
            show_default=False,
        ),
    ] = None,
    quiet: options.Quiet = False,
    format: Annotated[
        LeaderboardFormat,
        typer.Option(
            "--format",
            metavar="FORM",
            help="text, markdown, csv, json or latex; or html, one file with tables, charts and pictures that opens "
            "offline.",
        ),
    ] = LeaderboardFormat.text,
) -> None:
    """Compare what was measured, grouped by data set, protocol and network, with published figures beside it.

    Where there are several ipcs, as a table of methods by ipc.
    """
    from ddbench.evaluate.leaderboard.render import render

    folder = options.home_folder(home)
    rows = {
        path: row
        for path, row in _rows(results or [folder / "results"]).items()
        if dataset in (None, row.dataset) and ipc in (None, row.ipc) and protocol in (None, row.protocol)
    }
    if format is LeaderboardFormat.html:
        text, out = _page(rows, folder, quiet), out or folder / "leaderboard.html"
    else:
        text = render(list(rows.values()), format.value, details)
    typer.echo(text if out is None else _written(text, out))


def _rows(results: Sequence[Path]) -> dict[Path, Row]:
    """Rows by the files they were read from, each file once, in the order of their paths."""
    from ddbench.evaluate.leaderboard.row import load_rows

    files = (file for context in results for file in (context.rglob("*.json") if context.is_dir() else [context]))
    return {file: row for file in sorted({file.resolve() for file in files}) for row in load_rows([file])}


def _page(rows: Mapping[Path, Row], home: Path, quiet: bool) -> str:
    from ddbench.evaluate.leaderboard.page import PICTURE_BYTES, PICTURES_BYTES, page, row_key
    from ddbench.figures.thumbnails import thumbnails
    from ddbench.pipeline.find_sets import find_sets
    from ddbench.pipeline.pictures import thumbnail_of
    from ddbench.runtime.progress import Bar, Silent

    digests = [row.synthetic_sha256 for row in rows.values()]
    draw = partial(thumbnail_of, home=home, limit=PICTURE_BYTES)
    files = find_sets(home, digests)
    pictures = thumbnails(files, PICTURES_BYTES, PICTURE_BYTES, Silent() if quiet else Bar(), draw)
    paths = {row_key(row): _as_called(path, home) for path, row in rows.items()}
    return page(list(rows.values()), pictures, paths)


def _as_called(file: Path, home: Path) -> str:
    """A row's file as a command line names it: from here, or from the home, or its name alone; no path of a machine."""
    for context in (Path.cwd(), home.resolve()):
        if file.is_relative_to(context):
            return str(file.relative_to(context))
    return file.name


def _written(text: str, out: Path) -> str:
    from ddbench.artifact import replacing

    if out.is_dir():
        raise UserError(f"{out} is a folder", fix=f"name the file, such as --out {out / 'leaderboard.html'}")
    with replacing(out) as part:
        part.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    return str(out)
