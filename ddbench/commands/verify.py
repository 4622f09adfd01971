"""``ddbench verify``: recompute a row, or check what is printed of a set, and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes
from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.pipeline.context import RunContext


@takes(*CONTEXT)
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
    published: Annotated[
        bool, typer.Option("--published", help="Check what is printed of such a set (published.csv), not a row.")
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose printed figure.  [default: the set's method]", show_default=False),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The fresh networks.  [default: the set's network]", show_default=False),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How they are trained.  [default: as the set says]", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, metavar="N", help="How many fresh networks check a printed figure.")] = 5,
    teachers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who labeled, where the row says that teachers did.", show_default=False),
    ] = None,
    dataset: options.Dataset = None,
    shared: RunOptions = DEFAULTS,
    format: options.Report = options.ReportFormat.text,
) -> None:
    """Train the row's networks again, with its seeds, and compare every accuracy with what is recorded.

    With --published: train fresh networks on a set, one that was imported say, and tell whether the accuracy that is
    printed for its method, data set, ipc and network holds. Ends with status 0 where it agrees, and 2 where not, or
    where too few networks were trained to tell.
    """
    with shared.executors() as by:
        context = shared.context(by)
        if published:
            _check_published(
                options.set_file(target),
                context,
                format,
                method=method,
                network=network,
                protocol=protocol,
                seeds=seeds,
                teachers=teachers,
                dataset=dataset,
            )
            return
        for name, value in (("--method", method), ("--network", network), ("--protocol", protocol)):
            if value is not None:
                raise UserError(f"{name} goes with --published; a row says these things itself", fix="add --published")
        _check_rows(options.set_file(target), set, context, format, dataset=dataset, teachers=teachers)


def _check_rows(
    target: Path, set: Path | None, context: RunContext, format: options.ReportFormat, **settings: Any
) -> None:
    """Errors: UserError where a row could not be reproduced."""
    from ddbench.pipeline.score_files import verify_rows

    reports, failed = [], []
    for file, row, report in verify_rows(target, set, context, **settings):
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
            f"{len(failed)} of {len(reports)} rows could not be reproduced",
            *(f"row   {file}" for file in failed),
            fix="the row or the code was changed since; score the set again (ddbench evaluate SET) to replace the row",
        )


def _check_published(file: Path, context: RunContext, format: options.ReportFormat, **settings: Any) -> None:
    """Errors: UserError where the printed accuracy does not hold, and where too few networks were trained to tell."""
    from ddbench.pipeline.check_published import check_published

    check = check_published(file, context, **settings)
    typer.echo(json.dumps(check.as_dict(), indent=2) if format is options.ReportFormat.json else check.text())
    if not check.decided:
        count = len(check.scores.seeds)
        raise UserError(
            f"the printed accuracy can not be told from what {count} networks reached",
            f"set   {file}",
            f"why   the difference is known to {100 * (check.high - check.low):.0f} points only",
            fix=f"ask more networks: --seeds {2 * max(count, 5)}",
        )
    if not check.holds:
        raise UserError(
            "the published accuracy could not be reproduced with this set",
            f"set   {file}",
            fix="check preprocessing (ZCA), learned rate, protocol and network (ddbench info SET says what they are)",
        )
