"""``ddbench plan``: what a recipe takes, before the first second is spent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes
from ddbench.pipeline.open_recipe import open_recipe

if TYPE_CHECKING:
    from ddbench.files.tables import Table


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
    from ddbench.estimates.memory_check import format_gb
    from ddbench.files.tables import Report
    from ddbench.pipeline.data_summary import summary_rows
    from ddbench.plan.plan import wrapped

    context = shared.context()
    pipeline = open_recipe(recipe, override, shared.seed, shared.plugin, context, shared.seeds)
    facts = pipeline.domain.plan(pipeline, timed=time)
    if format is options.Sheet.json:
        typer.echo(json.dumps(facts, indent=2))
        return
    free = facts.get("free bytes")
    room = "" if free is None else f", {format_gb(free)} free"
    data = f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network} on {pipeline.compute.device}{room}"
    blocks: list[Table | str] = ["\n".join([data, *summary_rows(tuple(facts["data"]))])]
    if facts["buffers"]:
        idle = () if any(row["to extend"] for row in facts["buffers"]) else ("to extend",)
        width = 0 if format is options.Sheet.markdown else 60
        rows = [{**_readable(row, idle), "for": wrapped(row["for"], width)} for row in facts["buffers"]]
        blocks.append(_table("experts", rows))
    blocks.append(_table("synthetic sets", [_readable(row) for row in facts["sets"]]))
    if "networks" in facts:
        blocks.append(_table("fresh networks", [_readable(row) for row in facts["networks"]]))
    lines = []
    for large in facts.get("too large", ()):
        lines.append(f"too large: {large['what']}, {format_gb(large['bytes'])}")
        lines += [f"  helps {help}" for help in large["helps"]]
    typer.echo(Report(blocks=[*blocks, "\n".join([*lines, facts["evaluation"]])]).write(format.value))


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table in which columns of numbers are aligned at the right; None is an empty cell."""
    from ddbench.files.tables import table_of

    numbers = {
        head for row in rows for head in row if all(isinstance(one.get(head, 0), int | float | None) for one in rows)
    }
    cells = [{head: _cell(value) for head, value in row.items()} for row in rows]
    return table_of(cells, title=title, ruled=True, left={head for row in rows for head in row} - numbers)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


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
