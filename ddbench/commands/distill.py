"""``ddbench distill``: experts and synthetic sets of a recipe, without scoring them."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.pipeline.open_recipe import open_recipe
from ddbench.runtime.device import CHECKPOINT_SECONDS


def distill(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    seeds: options.Seeds = None,
    plugin: options.Plugin = None,
    checkpoint_seconds: options.CheckpointSeconds = CHECKPOINT_SECONDS,
    compile: options.Compile = options.CompileChoice.auto,
    memory: options.Memory = options.MemoryChoice.refuse,
    executor: options.Executor = options.ExecutorChoice.auto,
    workers: options.Workers = None,
    address: options.Address = None,
    gpus_per_job: options.GpusPerJob = None,
    quiet: options.Quiet = False,
) -> None:
    """Distil the synthetic sets of a recipe, and train the experts they need. Resumable, to the bit on the CPU."""
    from ddbench.commands.torchrun import distill_on_ranks
    from ddbench.pipeline.job_order import in_turns
    from ddbench.plan.memory import check_memory

    with options.executors(executor, workers, address, gpus_per_job, device, plugin) as by:
        where = options.context(
            home, data_root, device, quiet, checkpoint_seconds, compile, together=True, memory=memory, executors=by
        )
        pipeline = open_recipe(recipe, override, seed, plugin, where, seeds)
        check_memory(pipeline, scored=False)
        if not distill_on_ranks(pipeline):
            return
        for job in in_turns(pipeline.jobs):
            pipeline.distill(job)
            typer.echo(f"{job.title}:  {pipeline.set_path(job)}")
