"""``ddbench plan``: what a recipe takes, before the first second is spent."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import typer

from ddbench.commands import options

if TYPE_CHECKING:
    from ddbench.commands.dataset_facts import DatasetFacts
    from ddbench.commands.graph_pipeline import GraphPipeline
    from ddbench.commands.jobs import BufferNeed, Job
    from ddbench.commands.pipeline import Pipeline
    from ddbench.expert_recipe import ExpertOptimization
    from ddbench.methods.trajectory import TrajectoryMatching


def plan(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    compile: options.Compile = options.CompileChoice.auto,
    quiet: options.Quiet = False,
    format: options.PlanFormat = options.Sheet.text,
) -> None:
    """Say what a recipe needs and what of it is there: experts, bytes, steps, and an estimate of peak memory.

    Nothing is trained. Of a data set of your own, or of the hub, the images are read, to learn how many they are.
    """
    from tabulate import tabulate

    pipeline = options.open_recipe(
        recipe, override, seed, plugin, options.place(home, data_root, device, quiet, compile=compile)
    )
    facts = _facts(pipeline)
    if format is options.Sheet.json:
        typer.echo(json.dumps(facts, indent=2))
        return
    style = "github" if format is options.Sheet.markdown else "simple"
    typer.echo(f"{pipeline.loaded.name}: {pipeline.recipe.dataset}, {pipeline.network} on {pipeline.device}\n")
    if facts["buffers"]:
        typer.echo("experts")
        idle = () if any(row["to extend"] for row in facts["buffers"]) else ("to extend",)
        width = 0 if format is options.Sheet.markdown else 60
        rows = [{**_readable(row, idle), "for": _wrapped(row["for"], width)} for row in facts["buffers"]]
        typer.echo(tabulate(rows, headers="keys", tablefmt=style) + "\n")
    typer.echo("synthetic sets")
    typer.echo(tabulate([_readable(row) for row in facts["sets"]], headers="keys", tablefmt=style) + "\n")
    typer.echo(facts["evaluation"])


def _facts(pipeline: Pipeline | GraphPipeline) -> dict[str, Any]:
    from ddbench.commands.pipeline import Pipeline
    from ddbench.commands.plan_graphs import graph_plan_facts

    return plan_facts(pipeline) if isinstance(pipeline, Pipeline) else graph_plan_facts(pipeline)


def plan_facts(pipeline: Pipeline) -> dict[str, Any]:
    """The plan as plain data: ``buffers``, ``sets``, and a sentence on ``evaluation``. Memory in bytes."""
    from ddbench.commands.dataset_facts import dataset_facts
    from ddbench.commands.plan_evaluation import evaluation_in_words
    from ddbench.memory import activation_floats
    from ddbench.networks import FlatNetwork, build_network

    facts = dataset_facts(pipeline)
    module = build_network(pipeline.network, channels=facts.channels, size=facts.size, classes=facts.classes, seed=0)
    parameters, activations = FlatNetwork(module).size, activation_floats(module, facts.channels, facts.size)
    return {
        "recipe": pipeline.loaded.name,
        "parameters": parameters,
        "buffers": [_buffer_facts(pipeline, need, parameters, facts.images) for need in pipeline.buffers],
        "sets": [_set_facts(pipeline, job, facts, parameters, activations) for job in pipeline.jobs],
        "evaluation": evaluation_in_words(pipeline),
    }


def _buffer_facts(pipeline: Pipeline, need: BufferNeed, parameters: int, images: int) -> dict[str, Any]:
    from ddbench.expert_buffers.record import buffer_bytes

    count, batch = need.recipe.count, need.recipe.batch
    long_enough, short = _there(need)
    ipcs: dict[str, list[str]] = {}
    for job in pipeline.jobs:
        if job.buffer and job.buffer.folder == need.folder:
            ipcs.setdefault(job.label, []).append(str(job.ipc))
    return {
        "optimizer": _in_words(need.recipe.optimizer),
        "experts": count,
        "of them there": long_enough,
        "to extend": short,
        "epochs": need.epochs,
        "steps": count * need.epochs * -(-images // batch),
        "bytes": buffer_bytes(parameters, need.epochs, count, need.recipe.dtype, need.recipe.momentum),
        "for": "; ".join(f"{label} ipc {', '.join(at)}" for label, at in ipcs.items()),
    }


def _in_words(optimizer: ExpertOptimization) -> str:
    """Its kind, and what of it is not as by default: ``gsam alpha=0.3``."""
    standard = type(optimizer)()
    given = {name: getattr(optimizer, name) for name in type(optimizer).model_fields}
    other = [f"{name}={_short(value)}" for name, value in given.items() if value != getattr(standard, name)]
    return " ".join([optimizer.kind, *other])


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrapped(sharers: str, width: int) -> str:
    """A list that is broken after its semicolons alone, into lines of about this width; 0 leaves it in one."""
    whole = sharers.replace(" ", "\N{NO-BREAK SPACE}").replace(";\N{NO-BREAK SPACE}", "; ")
    lines = wrap(whole, width, break_long_words=False, break_on_hyphens=False) if width else [whole]
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def _there(need: BufferNeed) -> tuple[int, int]:
    """How many experts lie there that are long enough, and how many that training will make longer."""
    from ddbench.expert_buffers.store import DESCRIPTION, read_description, scan

    if not (need.folder / DESCRIPTION).is_file():
        return 0, 0
    description = read_description(need.folder)
    epochs = scan(need.folder, description).usable
    there = [epochs[expert] for expert in range(need.recipe.count) if expert in epochs]
    long_enough = sum(known >= need.epochs for known in there)
    return long_enough, 0 if description.seed is None else len(there) - long_enough


def _set_facts(pipeline: Pipeline, job: Job, facts: DatasetFacts, parameters: int, activations: int) -> dict[str, Any]:
    from ddbench.methods.trajectory import TrajectoryMatching

    images = facts.classes * job.ipc
    row: dict[str, Any] = {
        "method": job.label,
        "ipc": job.ipc,
        "images": images,
        "there": "yes" if pipeline.set_path(job).exists() else "no",
    }
    method = job.method
    if isinstance(method, TrajectoryMatching):
        row |= {"outer steps": method.iterations, "inner steps": method.iterations * method.inner_steps}
        peak = _peak_bytes(method, images, facts, parameters, activations)
        row |= {"unroll": method.unroll.kind, "peak bytes": peak}
    return row


def _peak_bytes(method: TrajectoryMatching, images: int, facts: DatasetFacts, parameters: int, activations: int) -> int:
    """Estimated peak memory of a distillation of this many images."""
    from ddbench.memory import distillation_bytes, outer_step_bytes

    pixels = images * facts.channels * facts.size**2
    learned = pixels + (images * facts.classes if "labels" in method.outer_rates() else 0)
    step = outer_step_bytes(
        method.unroll.build(),
        parameters=parameters,
        activations=activations,
        batch=min(method.batch_syn or images, images),
        inner_steps=method.inner_steps,
        learned=learned,
        momentum=method.student_momentum > 0,
        milestones=method.match.kind == "intermediate",
    )
    return distillation_bytes(step, learned, averaged=0 if method.ema_decay is None else pixels)


def _readable(row: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Bytes as people read them; everything else as it is."""
    from ddbench.evaluate.units import size

    return {key: size(value) if key.endswith("bytes") else value for key, value in row.items() if key not in without}
