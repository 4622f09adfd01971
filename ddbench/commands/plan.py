"""``ddbench plan``: what a recipe takes, before the first second is spent."""

from __future__ import annotations

import json
from typing import Any

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes
from ddbench.pipeline.open_recipe import open_recipe


@takes(*CONTEXT, "seed", "seeds", "plugin", "compile")
def plan(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
    time: options.Time = False,
    format: options.PlanFormat = options.Sheet.text,
) -> None:
    """Say what a recipe needs and what of it is there: experts, bytes, steps, and estimates of peak memory.

    Nothing is trained, but for some steps on drawn data with --time. Of a data set of your own, or of the hub, the
    images are read, to check them and to learn how many they are.
    """
    from tabulate import tabulate

    from ddbench.estimates.memory_check import format_gb
    from ddbench.pipeline.data_summary import summary_rows
    from ddbench.plan.plan import wrapped

    context = shared.context()
    pipeline = open_recipe(recipe, override, shared.seed, shared.plugin, context, shared.seeds)
    facts = pipeline.domain.plan(pipeline, timed=time)
    if format is options.Sheet.json:
        typer.echo(json.dumps(facts, indent=2))
        return
    style = "github" if format is options.Sheet.markdown else "simple"
    free = facts.get("free bytes")
    room = "" if free is None else f", {format_gb(free)} free"
    typer.echo(
        f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network} on {pipeline.compute.device}{room}"
    )
    typer.echo("\n".join(summary_rows(tuple(facts["data"]))) + "\n")
    if facts["buffers"]:
        typer.echo("experts")
        idle = () if any(row["to extend"] for row in facts["buffers"]) else ("to extend",)
        width = 0 if format is options.Sheet.markdown else 60
        rows = [{**_readable(row, idle), "for": wrapped(row["for"], width)} for row in facts["buffers"]]
        typer.echo(tabulate(rows, headers="keys", tablefmt=style) + "\n")
    typer.echo("synthetic sets")
    typer.echo(tabulate([_readable(row) for row in facts["sets"]], headers="keys", tablefmt=style) + "\n")
    if "networks" in facts:
        typer.echo("fresh networks")
        typer.echo(tabulate([_readable(row) for row in facts["networks"]], headers="keys", tablefmt=style) + "\n")
    for large in facts.get("too large", ()):
        typer.echo(f"too large: {large['what']}, {format_gb(large['bytes'])}")
        typer.echo("".join(f"  helps {help}\n" for help in large["helps"]))
    typer.echo(facts["evaluation"])


def _readable(row: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Bytes and seconds as people read them; everything else as it is."""
    from ddbench.evaluate.leaderboard.formatting import duration, size

    cells: dict[str, Any] = {}
    for key, value in row.items():
        if key == "seconds":
            cells["time"] = "" if value is None else duration(value)
        elif key == "peak parts":
            cells["mostly"] = next((f"{part} {count / sum(value.values()):.0%}" for part, count in value.items()), "")
        elif key not in without:
            cells[key] = size(value) if key.endswith("bytes") else value
    return cells
