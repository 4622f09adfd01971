"""Plan of a recipe as plain data: experts, sets, evaluation, in steps and bytes, and, where timed, seconds."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory_check import NEARLY, available_bytes, in_words
from ddbench.expert_buffers.expert_training import buffer_bytes
from ddbench.pipeline.dataset_sizes import DatasetFacts, dataset_facts
from ddbench.pipeline.imported_experts import imported_buffer
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.pipeline.pipeline import Pipeline
from ddbench.plan.evaluation import evaluation_in_words
from ddbench.plan.memory import (
    MemoryRequirement,
    distillation_need,
    evaluation_need,
    expert_need,
    experts_there,
    passes,
    sizes_of,
)
from ddbench.plan.time import Times
from ddbench.recipe.experts import ExpertOptimization


def plan_facts(pipeline: Pipeline, *, timed: bool = False) -> dict[str, Any]:
    """Plan a recipe as plain data.

    Keys are ``buffers``, ``sets``, ``networks``, a sentence on ``evaluation``, and ``too large``: all that does not fit
    in the bytes that are free, with what would help. Memory in bytes, time in seconds.

    Args:
        pipeline: The recipe.
        timed: Whether steps are tried on the device, to say how long all will take.

    Returns:
        Values by key, ready to be printed or written as JSON.

    Raises:
        UserError: Imported experts that are too few or too short, which nobody can train on.
    """
    for need in pipeline.buffers:
        imported_buffer(need)
    facts = dataset_facts(pipeline)
    sizes = sizes_of(pipeline, facts)
    times = Times(pipeline, facts) if timed else None
    buffers = {
        need.folder: expert_need(need.recipe, need.epochs, sizes, facts.images, facts.validation)
        for need in pipeline.buffers
    }
    sets = [distillation_need(job, sizes) for job in pipeline.jobs]
    networks = {name: evaluation_need(pipeline, name, facts) for name in dict.fromkeys(pipeline.networks)}
    free = available_bytes(pipeline.compute.device)
    every = [*buffers.values(), *(need for need in sets if need), *networks.values()]
    return {
        "recipe": pipeline.loaded.name,
        "data": list(facts.lines),
        "parameters": sizes.parameters,
        "device": str(pipeline.compute.device),
        **({} if pipeline.compute.device.type == "cpu" else {"precision": pipeline.compute.precision}),
        "free bytes": free,
        "buffers": [
            _buffer_facts(pipeline, need, buffers[need.folder], sizes.parameters, facts.images, times)
            for need in pipeline.buffers
        ],
        "sets": [_set_facts(pipeline, job, need, facts, times) for job, need in zip(pipeline.jobs, sets, strict=True)],
        "evaluation": evaluation_in_words(pipeline),
        "networks": [_network_facts(pipeline, name, need, times) for name, need in networks.items()],
        "too large": [_helped(need, free) for need in every if free is not None and need.bytes > free],
    }


def _helped(need: MemoryRequirement, free: int) -> dict[str, Any]:
    return {
        "what": need.what,
        "bytes": need.bytes,
        "helps": [in_words(suggestion) for suggestion in need.memory_suggestions(int(NEARLY * free))],
    }


def _buffer_facts(
    pipeline: Pipeline, need: BufferSpec, memory: MemoryRequirement, parameters: int, images: int, times: Times | None
) -> dict[str, Any]:
    count, batch = need.recipe.count, need.recipe.batch
    long_enough, short = experts_there(need)
    ipcs: dict[str, dict[str, None]] = {}
    for job in pipeline.jobs:
        if job.buffer and job.buffer.folder == need.folder:
            ipcs.setdefault(job.label, {})[str(job.ipc)] = None
    seconds = {} if times is None else {"seconds": times.experts(need, count - long_enough)}
    return {
        "optimizer": _in_words(need.recipe.optimizer),
        "experts": count,
        "of them there": long_enough,
        "to extend": short,
        "epochs": need.epochs,
        "steps": count * need.epochs * -(-images // batch),
        "passes a step": passes(need.recipe),
        "bytes": buffer_bytes(parameters, need.epochs, count, need.recipe.dtype, need.recipe.momentum),
        **_peak(memory),
        **seconds,
        "for": "; ".join(f"{label} ipc {', '.join(at)}" for label, at in ipcs.items()),
    }


def _set_facts(
    pipeline: Pipeline, job: Job, memory: MemoryRequirement | None, facts: DatasetFacts, times: Times | None
) -> dict[str, Any]:
    there = job.set_path.exists()
    row: dict[str, Any] = {
        "method": job.label,
        "ipc": job.ipc,
        **({"seed": job.seed} if len(pipeline.recipe.distillation_seeds) > 1 else {}),
        "images": facts.shape.classes * job.ipc,
        "there": "yes" if there else "no",
        **job.method.plan_summary(sizes_of(pipeline, facts), job.ipc),
    }
    if memory is not None:
        row |= _peak(memory)
    if times is not None and (seconds := times.distillation(job)) is not None:
        row["seconds"] = 0.0 if there else seconds
    return row


def _network_facts(pipeline: Pipeline, name: str, memory: MemoryRequirement, times: Times | None) -> dict[str, Any]:
    seconds = {} if times is None else {"seconds": times.evaluation(name)}
    return {"network": name, "protocol": pipeline.protocol.key, **_peak(memory), **seconds}


def _peak(memory: MemoryRequirement) -> dict[str, Any]:
    """The bytes of an estimate and its parts, the largest first; a plugin's estimate may have none."""
    parts = memory.bytes.parts if isinstance(memory.bytes, Estimate) else {}
    return {"peak bytes": memory.bytes, "peak parts": dict(sorted(parts.items(), key=lambda part: -part[1]))}


def _in_words(optimizer: ExpertOptimization) -> str:
    """Its kind, and what of it is not as by default: ``gsam alpha=0.3``."""
    standard = type(optimizer)()
    settings = {name: getattr(optimizer, name) for name in type(optimizer).model_fields}
    other = [f"{name}={_short(value)}" for name, value in settings.items() if value != getattr(standard, name)]
    return " ".join([optimizer.kind, *other])


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def wrapped(sharers: str, width: int) -> str:
    """Break a list into lines, after its semicolons alone.

    Args:
        sharers: Entries with ``; `` between them.
        width: Characters of a line, about; 0 leaves it in one line.

    Returns:
        The list with line breaks.
    """
    whole = sharers.replace(" ", "\N{NO-BREAK SPACE}").replace(";\N{NO-BREAK SPACE}", "; ")
    lines = wrap(whole, width, break_long_words=False, break_on_hyphens=False) if width else [whole]
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")
