"""``ddbench distill``: experts and synthetic sets of a recipe, without scoring them."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.commands.run_options import DEFAULTS, RECIPE, RunOptions, takes
from ddbench.pipeline.open_recipe import open_recipe


@takes(*RECIPE, "seeds")
def distill(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
) -> None:
    """Distill the synthetic sets of a recipe, and train the experts they need. Resumable, to the bit on the CPU."""
    from ddbench.commands.torchrun import distill_on_ranks
    from ddbench.pipeline.job_order import in_turns

    with shared.executors() as by:
        context = shared.context(by, together=True)
        pipeline = open_recipe(recipe, override, shared.seed, shared.plugin, context, shared.seeds)
        pipeline.domain.check_memory(pipeline, scored=False)
        if not distill_on_ranks(pipeline):
            return
        pipeline.domain.distill_ahead(pipeline)
        for job in in_turns(pipeline.jobs):
            pipeline.stages.run(job, last="distill")
            typer.echo(f"{job.title}:  {job.set_path}")
