"""``ddbench buffer``: only the experts of a recipe."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.commands.run_options import DEFAULTS, RECIPE, RunOptions, takes
from ddbench.pipeline.open_recipe import open_image_recipe


@takes(*RECIPE)
def buffer(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
) -> None:
    """Train the experts that a recipe needs, and nothing else. Resumable, expert by expert."""
    with shared.executors() as by:
        context = shared.context(by, together=True)
        pipeline = open_image_recipe(recipe, override, shared.seed, shared.plugin, context)
        pipeline.domain.check_memory(pipeline, experts_alone=True)
        if not pipeline.buffers:
            typer.echo("this recipe needs no experts")
        for need in pipeline.buffers:
            made = pipeline.stages.experts.train(need)
            typer.echo(f"{len(made)} experts of {made.epochs} epochs:  {need.folder}")
