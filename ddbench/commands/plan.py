"""``ddbench plan``: what a recipe takes, before the first second is spent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from ddbench.commands import options

if TYPE_CHECKING:
    from ddbench.commands.jobs import BufferNeed, Job
    from ddbench.commands.pipeline import Pipeline


def plan(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    quiet: options.Quiet = False,
    format: options.PlanFormat = options.Sheet.text,
) -> None:
    """Say what a recipe needs and what of it is there: experts, bytes, steps, and an estimate of peak memory.

    Nothing is trained. Of a data set of your own, or of the hub, the images are read, to learn how many they are.
    """
    from tabulate import tabulate

    pipeline = options.open_recipe(recipe, override, seed, plugin, options.place(home, data_root, device, quiet))
    facts = plan_facts(pipeline)
    if format is options.Sheet.json:
        typer.echo(json.dumps(facts, indent=2))
        return
    style = "github" if format is options.Sheet.markdown else "simple"
    typer.echo(f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network} on {pipeline.device}\n")
    if facts["buffers"]:
        typer.echo("experts")
        typer.echo(tabulate([_readable(row) for row in facts["buffers"]], headers="keys", tablefmt=style) + "\n")
    typer.echo("synthetic sets")
    typer.echo(tabulate([_readable(row) for row in facts["sets"]], headers="keys", tablefmt=style) + "\n")
    typer.echo(facts["evaluation"])


def plan_facts(pipeline: Pipeline) -> dict[str, Any]:
    """The plan as plain data: ``buffers``, ``sets``, and a sentence on ``evaluation``. Memory in bytes."""
    from ddbench.commands.dataset_facts import dataset_facts
    from ddbench.memory import activation_floats
    from ddbench.networks import FlatNetwork, build_network

    facts = dataset_facts(pipeline)
    module = build_network(pipeline.network, channels=facts.channels, size=facts.size, classes=facts.classes, seed=0)
    parameters, activations = FlatNetwork(module).size, activation_floats(module, facts.channels, facts.size)
    asked = pipeline.recipe.evaluation
    trainings = len(pipeline.jobs) * len(pipeline.networks) * asked.seeds
    epochs = pipeline.protocol.setting.trained_epochs
    return {
        "recipe": pipeline.loaded.name,
        "parameters": parameters,
        "buffers": [_buffer_facts(pipeline, need, parameters, facts.images) for need in pipeline.buffers],
        "sets": [_set_facts(pipeline, job, facts.classes, parameters, activations) for job in pipeline.jobs],
        "evaluation": f"evaluation: {trainings} fresh networks of {epochs} epochs by {asked.protocol}, "
        f"selection by {asked.selection}",
    }


def _buffer_facts(pipeline: Pipeline, need: BufferNeed, parameters: int, images: int) -> dict[str, Any]:
    from ddbench.expert_buffers.record import buffer_bytes

    count, batch = need.recipe.count, need.recipe.batch
    sharers = [f"{job.label} ipc {job.ipc}" for job in pipeline.jobs if job.buffer and job.buffer.folder == need.folder]
    return {
        "experts": count,
        "of them there": _finished(need),
        "epochs": need.epochs,
        "steps": count * need.epochs * -(-images // batch),
        "bytes": buffer_bytes(parameters, need.epochs, count, need.recipe.dtype),
        "for": ", ".join(sharers),
    }


def _finished(need: BufferNeed) -> int:
    """How many experts lie there that are long enough."""
    from ddbench.expert_buffers.store import DESCRIPTION, read_description, scan

    if not (need.folder / DESCRIPTION).is_file():
        return 0
    epochs = scan(need.folder, read_description(need.folder)).usable
    return sum(epochs.get(expert, 0) >= need.epochs for expert in range(need.recipe.count))


def _set_facts(pipeline: Pipeline, job: Job, classes: int, parameters: int, activations: int) -> dict[str, Any]:
    from ddbench.memory import outer_step_bytes
    from ddbench.methods.trajectory import TrajectoryMatching

    row: dict[str, Any] = {
        "method": job.label,
        "ipc": job.ipc,
        "images": classes * job.ipc,
        "there": "yes" if pipeline.set_path(job).exists() else "no",
    }
    method = job.method
    if isinstance(method, TrajectoryMatching):
        batch = min(method.batch_syn or classes * job.ipc, classes * job.ipc)
        unroll, steps = method.unroll.build(), method.inner_steps
        estimate = outer_step_bytes(
            unroll, parameters=parameters, activations=activations, batch=batch, inner_steps=steps
        )
        row |= {"outer steps": method.iterations, "inner steps": method.iterations * steps}
        row |= {"unroll": method.unroll.kind, "peak bytes": estimate}
    return row


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Bytes as people read them; everything else as it is."""
    from ddbench.evaluate.units import size

    return {key: size(value) if key.endswith("bytes") else value for key, value in row.items()}
