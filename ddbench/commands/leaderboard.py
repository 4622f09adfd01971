"""``ddbench leaderboard``: tables from rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


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
    format: options.Format = options.TableFormat.text,
) -> None:
    """Compare what was measured, grouped by data set, protocol and network, with published figures beside it.

    Where there are several ipcs, as a table of methods by ipc.
    """
    from ddbench.evaluate.rows import load_rows
    from ddbench.evaluate.table import render

    rows = load_rows(results or [options.home_folder(home) / "results"])
    chosen = [
        row
        for row in rows
        if dataset in (None, row.dataset) and ipc in (None, row.ipc) and protocol in (None, row.protocol)
    ]
    typer.echo(render(chosen, format.value, details))
