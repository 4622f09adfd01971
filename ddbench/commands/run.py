"""``ddbench run``: everything a recipe says, skipping what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ddbench.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from ddbench.commands.jobs import Job
    from ddbench.commands.pipeline import Pipeline


def run(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    quiet: options.Quiet = False,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Carry out a recipe: experts, distillation, evaluation, leaderboard.

    What is done already is kept, so the same command continues an interrupted run, and takes seconds on a finished one.
    """
    from ddbench.evaluate.table import render

    pipeline = options.open_recipe(recipe, override, seed, plugin, options.place(home, data_root, device, quiet))
    say = _narrator(quiet or format is not options.TableFormat.text)
    say(f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network}, on {pipeline.device}")
    rows, files = [], []
    for job in pipeline.jobs:
        for row, file in pipeline.evaluate(job):
            rows.append(row)
            files.append(file)
    pictures = [_picture(pipeline, job) for job in pipeline.jobs]
    typer.echo(render(rows, format.value))
    say("")
    for job, picture in zip(pipeline.jobs, pictures, strict=True):
        say(f"{job.label} ipc {job.ipc}:  {pipeline.set_path(job)}  (picture: {picture.name})")
    say(f"rows:  {pipeline.results}")
    say(_next_steps(pipeline))


def _narrator(silent: bool):
    return (lambda text: None) if silent else typer.echo


def _picture(pipeline: Pipeline, job: Job) -> Path:
    from ddbench.commands.picture import draw
    from ddbench.synthetic import load_synthetic

    path = pipeline.set_path(job).with_suffix(".png")
    made_from = pipeline.set_path(job)
    if not path.exists() or path.stat().st_mtime < made_from.stat().st_mtime:
        draw(load_synthetic(made_from), pipeline.real.preprocessing, path)
    return path


def _next_steps(pipeline: Pipeline) -> str:
    name, first = pipeline.loaded.name, pipeline.jobs[0]
    return (
        "\nwhat to try next:\n"
        f"  ddbench run {name} -o method.unroll=tesla     the same with TESLA's gradient; or truncated, full\n"
        f"  ddbench show {pipeline.set_path(first)}\n"
        "  ddbench plan mtt-cifar10-ipc10                 what a published setting takes, before it starts\n"
        "  ddbench recipes                                everything that is ready to run"
    )
