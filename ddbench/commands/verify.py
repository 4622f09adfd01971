"""``ddbench verify``: recompute a row and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def verify(
    target: Annotated[
        Path, typer.Argument(metavar="ROW|SET", help="A row (.json), or a synthetic set whose rows are looked up.")
    ],
    set: Annotated[
        Path | None,
        typer.Option(
            "--set", help="The row's synthetic set.  [default: found under HOME/runs by its hash]", show_default=False
        ),
    ] = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Train the row's networks again, with its seeds, and compare every accuracy with what is recorded.

    Ends with status 0 where they agree, and 2 where they do not.
    """
    from ddbench.commands.scoring import verify_rows

    where = options.place(home, data_root, device, quiet)
    agreed = True
    for row, report in verify_rows(target, set, where):
        typer.echo(f"{row.label} on {row.dataset}, ipc {row.ipc}, {row.network}, {row.protocol}")
        typer.echo(report.text())
        agreed = agreed and report.passed
    raise typer.Exit(0 if agreed else 2)
