"""``ddbench nas``: architecture search with synthetic sets."""

from __future__ import annotations

import typer

from ddbench.commands import nas_rank, nas_search, nas_truth

app = typer.Typer(
    help="Architecture search: do networks rank on a synthetic set as they do on real data?",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("rank", short_help="Rank networks on sets and baselines, against real data")(nas_rank.rank)
app.command("truth", short_help="Train networks on real data: a table to share")(nas_truth.truth)
app.command("search", short_help="Search a space with a set as proxy (Optuna)")(nas_search.search)
app.command("spaces", short_help="The spaces of networks")(nas_truth.spaces)
