"""The command line: one file a command, each importing what it needs only when it runs."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import redirect_stdout
from typing import TextIO, cast

import typer

from ddbench.artifact import is_disk_full
from ddbench.commands import (
    buffer,
    continual,
    ddranking,
    distill,
    evaluate,
    export_set,
    import_set,
    info,
    leaderboard,
    listings,
    nas,
    plan,
    run,
    show,
    teach,
    tune,
    verify,
)
from ddbench.commands.torchrun import reports_on_one_rank, skips_this_rank, stdout_on_rank_0
from ddbench.errors import UserError
from ddbench.files.plain_text import PrintableOutput, printable
from ddbench.version import __version__

app = typer.Typer(
    name="ddbench",
    help="Dataset distillation, benchmarked: train experts, distill synthetic sets, score them, compare.\n\n"
    "Begin with  ddbench run quickstart  (about five minutes on two CPU cores, nothing is downloaded).",
    epilog="ddbench COMMAND --help says more about each.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ddbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    del version


for _command, _name, _summary in (
    (run.run, "run", "Run a recipe, skipping what is done"),
    (plan.plan, "plan", "What a recipe takes, before it starts"),
    (buffer.buffer, "buffer", "Only the experts of a recipe"),
    (distill.distill, "distill", "Only experts and synthetic sets of a recipe"),
    (tune.tune, "tune", "Compare a recipe's variants on validation"),
    (evaluate.evaluate, "evaluate", "Score a synthetic set, or a recipe's"),
    (leaderboard.leaderboard, "leaderboard", "Tables from what was scored"),
    (ddranking.ddranking, "ddranking", "DD-Ranking's scores: against random images and real data"),
    (continual.continual, "continual", "Classes step by step, with synthetic sets for memory"),
    (show.show, "show", "Draw a synthetic set as a PNG"),
    (info.info, "info", "What a buffer, run, synthetic set or row is"),
    (verify.verify, "verify", "Reproduce a recorded row or a published result"),
    (teach.teach, "teach", "Train teachers, for protocols that take labels from them"),
    (import_set.import_files, "import", "Import synthetic sets or experts from other codebases"),
    (export_set.export, "export", "Export synthetic sets or experts for other codebases"),
    (listings.formats, "formats", "File formats that import reads and export writes"),
    (listings.methods, "methods", "The distillation methods"),
    (listings.datasets, "datasets", "The data sets, and how to give your own"),
    (listings.networks, "networks", "The networks"),
    (listings.pools, "pools", "Pools of networks for cross-architecture evaluation"),
    (listings.protocols, "protocols", "The evaluation protocols"),
    (listings.recipes, "recipes", "The recipes that come with ddbench"),
):
    app.command(_name, short_help=_summary)(_command)
app.add_typer(nas.app, name="nas", short_help="Architecture search with synthetic sets")

_Misuse: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises for a command line it does not understand; where it lives depends on typer's version."""

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command line. A bug raises.

    Args:
        arguments: Words after ``ddbench``; None takes those of the process.

    Returns:
        Exit status: 0 done, 2 for an error that the user can fix, 130 interrupted.
    """
    argv = sys.argv[1:] if arguments is None else arguments
    if skips_this_rank(argv):
        return 0
    try:
        _require_current_folder()
        output = cast("TextIO", PrintableOutput(sys.stdout))  # names from files are no commands to a terminal
        with redirect_stdout(output), stdout_on_rank_0(argv):
            status = app(args=argv or ["--help"], prog_name="ddbench", standalone_mode=False)
    except UserError as error:
        return _complain(error, argv)
    except _Misuse as error:
        return _complain(_misuse(error), argv)
    except OSError as error:
        mendable = _mendable(error)
        if mendable is None:
            raise
        return _complain(mendable, argv)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        _say("ddbench: stopped; the same command goes on from here", argv)
    return status if isinstance(status, int) else 0


def _require_current_folder() -> None:
    """Errors: UserError where the current folder was removed: no relative path works, and torch cannot load."""
    try:
        os.getcwd()
    except OSError:
        raise UserError(
            "the current folder does not exist any more", fix="change to a folder that does (cd), and try again"
        ) from None


def _complain(error: UserError, argv: list[str]) -> int:
    _say(f"ddbench: {error}", argv)
    return 2


def _say(text: str, argv: list[str]) -> None:
    with reports_on_one_rank(argv) as speaks:
        if speaks:
            typer.echo(printable(text, keep="\n"), err=True)


def _misuse(error: Exception) -> UserError:
    """A command line that can not be parsed, told like every other mistake."""
    says = str(getattr(error, "format_message", error.__str__)()).rstrip(".").replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ddbench"
    return UserError(says[:1].lower() + says[1:], fix=f"{command} --help  says what there is")


def _mendable(error: OSError) -> UserError | None:
    """What the user can do about the file system, or None for an error that is more likely ours."""
    file = error.filename or "a file"
    if is_disk_full(error):
        return UserError(
            f"the disk is full: {file} could not be written",
            "kept  everything written before it",
            fix="free some space, or choose another folder with --home, and run the same command again",
        )
    in_the_way = isinstance(error, PermissionError | NotADirectoryError | FileExistsError | IsADirectoryError)
    if in_the_way or error.errno == errno.EROFS:
        return UserError(
            f"{file} can not be used: {(error.strerror or str(error)).lower()}",
            fix="mend its permissions or what lies there, or choose another folder with --home",
        )
    return None


def console() -> None:
    """The installed ``ddbench`` script."""
    sys.exit(main())
