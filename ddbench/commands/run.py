"""``ddbench run``: everything a recipe says, skipping what is done."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import typer

from ddbench.commands import options
from ddbench.execution import CHECKPOINT_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from ddbench.commands.graph_pipeline import GraphPipeline
    from ddbench.commands.pipeline import Pipeline


def run(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    checkpoint_seconds: options.CheckpointSeconds = CHECKPOINT_SECONDS,
    compile: options.Compile = options.CompileChoice.auto,
    memory: options.Memory = options.MemoryChoice.refuse,
    executor: options.Executor = options.ExecutorChoice.auto,
    workers: options.Workers = None,
    address: options.Address = None,
    gpus_per_job: options.GpusPerJob = None,
    quiet: options.Quiet = False,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Carry out a recipe: experts, distillation, evaluation, leaderboard.

    What is done already is kept, so the same command continues an interrupted run, and takes seconds on a finished one.
    """
    from ddbench.commands.data_lines import data_lines
    from ddbench.commands.needs import require_room
    from ddbench.commands.together import shared_out
    from ddbench.evaluate.table import render

    with options.executors(executor, workers, address, gpus_per_job, device, plugin) as by:
        where = options.place(
            home, data_root, device, quiet, checkpoint_seconds, compile, together=True, memory=memory, executors=by
        )
        pipeline = options.open_recipe(recipe, override, seed, plugin, where)
        say = _narrator(quiet or format is not options.TableFormat.text)
        say(f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network}, on {pipeline.device}")
        require_room(pipeline)
        if not shared_out(pipeline):
            return
        for line in data_lines(pipeline.real):
            say(line)
        rows = [row for job in pipeline.jobs for row, _ in pipeline.evaluate(job)]
        rows += [row for row, _ in pipeline.references()]
        for job in pipeline.jobs:
            for path in pipeline.set_paths(job):
                draw_if_changed(path, pipeline.place.home)
        typer.echo(render(rows, format.value))
        say("")
        say(_whereabouts(pipeline))
        say(_next_steps(pipeline))


def _narrator(silent: bool):
    return (lambda text: None) if silent else typer.echo


def draw_if_changed(set_path: Path, home: Path) -> None:
    """The picture of a set, beside it, unless the one that is there is of this set."""
    from ddbench.commands.show import draw_set

    path = set_path.with_suffix(".png")
    if not path.exists() or path.stat().st_mtime < set_path.stat().st_mtime:
        draw_set(set_path, path, home)


def _whereabouts(pipeline: Pipeline | GraphPipeline) -> str:
    """Where everything lies, each thing once."""
    runs = [(f"{job.label} ipc {job.ipc}", job.folder.name) for job in pipeline.jobs]
    width = max(len(name) for name, _ in runs)
    return "\n".join(
        [
            f"sets, each with its picture (synthetic.safetensors, synthetic.png), in {pipeline.jobs[0].folder.parent}:",
            *(f"  {name:{width}}  {folder}" for name, folder in runs),
            f"rows:  {pipeline.results}",
        ]
    )


def _next_steps(pipeline: Pipeline | GraphPipeline) -> str:
    where = "" if pipeline.place.home == options.home_folder(None) else f" --home {quote(str(pipeline.place.home))}"
    steps = {
        "ddbench plan mtt-cifar10-ipc10": "what a published setting takes, before it starts",
        "ddbench recipes": "everything that is ready to run",
    }
    if any("unroll" in type(job.method).model_fields for job in pipeline.jobs):
        again = f"ddbench run {quote(pipeline.loaded.given)}{where} -o method.unroll=tesla"
        steps = {again: "the same with TESLA's gradient; or with unroll=full", **steps}
    steps[f"ddbench leaderboard{where}"] = "this table, with all that was run before"
    width = max(map(len, steps))
    return "\n".join(["", "what to try next:", *(f"  {step:{width}}  {what}" for step, what in steps.items())])
