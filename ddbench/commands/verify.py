"""``ddbench verify``: recompute a row and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options
from ddbench.errors import UserError


def verify(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="ROW|SET", help="A row (.json), or a synthetic set, or its run's folder, whose rows are looked up."
        ),
    ],
    set: Annotated[
        Path | None,
        typer.Option(
            "--set",
            metavar="FILE",
            help="The row's synthetic set.  [default: found under HOME/runs by its hash]",
            show_default=False,
        ),
    ] = None,
    dataset: options.Dataset = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    format: options.Report = options.ReportFormat.text,
) -> None:
    """Train the row's networks again, with its seeds, and compare every accuracy with what is recorded.

    Ends with status 0 where they agree, and 2 where they do not.
    """
    from ddbench.commands.scoring import verify_rows

    where = options.place(home, data_root, device, quiet)
    reports, failed = [], []
    for file, row, report in verify_rows(options.set_file(target), set, where, dataset):
        reports.append({"row": str(file), **report.as_dict()})
        if not report.passed:
            failed.append(str(file))
        if format is options.ReportFormat.text:
            typer.echo(f"{row.label} on {row.dataset}, ipc {row.ipc}, {row.network}, {row.protocol}")
            typer.echo(report.text())
    if format is options.ReportFormat.json:
        typer.echo(json.dumps(reports, indent=2))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(reports)} rows could not be had again",
            *(f"row   {file}" for file in failed),
            fix="the row or the code was changed since; score the set again (ddbench evaluate SET) to replace the row",
        )
