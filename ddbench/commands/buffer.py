"""``ddbench buffer``: only the experts of a recipe."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.pipeline.open_recipe import open_image_recipe
from ddbench.runtime.device import CHECKPOINT_SECONDS


def buffer(
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
) -> None:
    """Train the experts that a recipe needs, and nothing else. Resumable, expert by expert."""
    from ddbench.plan.memory import check_memory_for_experts

    with options.executors(executor, workers, address, gpus_per_job, device, plugin) as by:
        where = options.context(
            home, data_root, device, quiet, checkpoint_seconds, compile, together=True, memory=memory, executors=by
        )
        pipeline = open_image_recipe(recipe, override, seed, plugin, where)
        check_memory_for_experts(pipeline)
        if not pipeline.buffers:
            typer.echo("this recipe needs no experts")
        for need in pipeline.buffers:
            made = pipeline.record(need)
            typer.echo(f"{len(made)} experts of {made.epochs} epochs:  {need.folder}")
