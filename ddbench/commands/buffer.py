"""``ddbench buffer``: only the experts of a recipe."""

from __future__ import annotations

import typer

from ddbench.commands import options
from ddbench.execution import CHECKPOINT_SECONDS


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
    quiet: options.Quiet = False,
) -> None:
    """Train the experts that a recipe needs, and nothing else. Resumable, expert by expert."""
    where = options.place(home, data_root, device, quiet, checkpoint_seconds, compile)
    pipeline = options.open_image_recipe(recipe, override, seed, plugin, where)
    if not pipeline.buffers:
        typer.echo("this recipe needs no experts")
    for need in pipeline.buffers:
        made = pipeline.record(need)
        typer.echo(f"{len(made)} experts of {made.epochs} epochs:  {need.folder}")
