"""``ddbench distill``: experts and synthetic sets of a recipe, without scoring them."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.execution import CHECKPOINT_SECONDS


def distill(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    checkpoint_seconds: options.CheckpointSeconds = CHECKPOINT_SECONDS,
    compile: options.Compile = options.CompileChoice.auto,
    quiet: options.Quiet = False,
) -> None:
    """Distil the synthetic sets of a recipe, and train the experts they need. Resumable, to the bit on the CPU."""
    where = options.place(home, data_root, device, quiet, checkpoint_seconds, compile)
    pipeline = options.open_recipe(recipe, override, seed, plugin, where)
    for job in pipeline.jobs:
        pipeline.distill(job)
        typer.echo(f"{job.label} ipc {job.ipc}:  {pipeline.set_path(job)}")
