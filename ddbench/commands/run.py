"""``ddbench run``: everything a recipe says, skipping what is done."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer

from ddbench.commands import options
from ddbench.commands.run_options import DEFAULTS, RECIPE, RunOptions, takes
from ddbench.pipeline.open_recipe import open_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from ddbench.pipeline.pipeline import Pipeline


@takes(*RECIPE, "seeds")
def run(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Carry out a recipe: experts, distillation, evaluation, leaderboard.

    What is done already is kept, so the same command continues an interrupted run, and takes seconds on a finished one.
    """
    from ddbench.commands.torchrun import distill_on_ranks
    from ddbench.evaluate.leaderboard.render import render
    from ddbench.pipeline.data_summary import summary_rows
    from ddbench.pipeline.pictures import draw_if_changed

    with shared.executors() as by:
        context = shared.context(by, together=True)
        pipeline = open_recipe(recipe, override, shared.seed, shared.plugin, context, shared.seeds)
        say = _narrator(shared.quiet or format is not options.TableFormat.text)
        say(f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network}, on {pipeline.compute.device}")
        pipeline.domain.check_memory(pipeline)
        if not distill_on_ranks(pipeline):
            return
        for line in summary_rows(pipeline.real.in_words()):
            say(line)
        rows = [row for row, _ in pipeline.rows()]
        for job in pipeline.jobs:
            for path in pipeline.set_paths(job):
                draw_if_changed(path, pipeline.context.home)
        typer.echo(render(rows, format.value))
        say("")
        say(_whereabouts(pipeline))
        say(
            _next_steps(
                pipeline,
                _own_options(shared.home, shared.data_root, shared.plugin, shared.seed, shared.seeds, override),
            )
        )


def _narrator(silent: bool):
    return (lambda text: None) if silent else typer.echo


def _whereabouts(pipeline: Pipeline) -> str:
    """Where everything lies, each thing once."""
    runs = [(job.title, job.folder.name) for job in pipeline.jobs]
    width = max(len(name) for name, _ in runs)
    return "\n".join(
        [
            f"sets, each with its picture (synthetic.safetensors, synthetic.png), in {pipeline.jobs[0].folder.parent}:",
            *(f"  {name:{width}}  {folder}" for name, folder in runs),
            f"rows:  {pipeline.results}",
        ]
    )


def _next_steps(pipeline: Pipeline, own: list[str]) -> str:
    """What to type next.

    Args:
        own: The options that the user gave, without which the same recipe would be another.
    """
    from ddbench.methods.parts.unroll_choice import UnrollChoice

    home = [] if pipeline.context.home == options.home_folder(None) else ["--home", str(pipeline.context.home)]
    steps = {
        "ddbench plan mtt-cifar10-ipc10": "what a published setting takes, before it starts",
        "ddbench recipes": "everything that is ready to run",
    }
    if any(isinstance(getattr(job.method, "unroll", None), UnrollChoice) for job in pipeline.jobs):
        again = shlex.join(["ddbench", "run", pipeline.loaded.given, *own, "-o", "method.unroll=tesla"])
        steps = {again: "the same with TESLA's gradient; or with unroll=full", **steps}
    steps[shlex.join(["ddbench", "leaderboard", *home])] = "this table, with all that was run before"
    width = max(map(len, steps))
    return "\n".join(["", "what to try next:", *(f"  {step:{width}}  {what}" for step, what in steps.items())])


def _own_options(
    home: Path | None,
    data_root: Path | None,
    plugins: list[Path] | None,
    seed: int | None,
    seeds: str | None,
    overrides: list[str] | None,
) -> list[str]:
    """The options that decide what a run is, as the user gave them."""
    values = [("--home", home), ("--data-root", data_root), ("--seed", seed), ("--seeds", seeds)]
    values += [("--plugin", plugin) for plugin in plugins or ()]
    values += [("-o", override) for override in overrides or ()]
    return [word for name, value in values if value is not None for word in (name, str(value))]
