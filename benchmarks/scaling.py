"""How the cost of an outer step, of experts, of an evaluation and of a span grows, one size at a time from a base.

Of every axis: seconds (medians over rounds in which the sizes take turns) and peak memory (of a fresh process each, on
CUDA of torch's allocator), the exponent of either, and the one that is expected of it with the reason. The exponent is
the slope of a line through the logarithms, by least squares; "at the end" it is that of the two largest sizes alone,
where what does not grow weighs least. Where memory grows by a known number of bytes a unit, the expected exponent is
that of a line with this slope from the smallest size on, and the slope of a line through the bytes is told beside that
number. ``--picture FILE.png`` draws all of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import (
    PeakMemory,
    arguments,
    fresh_process,
    generated_real,
    interleaved,
    process_counter,
    report,
    start,
)
from steps import DrawnStep, Work, evaluation_job, experts_job

from ddbench.estimates.memory import KEPT_PER_ACTIVATION, PASSING_PER_ACTIVATION
from ddbench.expert_buffers.buffer import ExpertBuffer, expert_path, write_description, write_expert
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.randomness import stream
from ddbench.recipe.experts import ExpertRecipe


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One size that is varied, the others staying at ``base``, and how cost should grow with it.

    what: the work. title: of it and of what varies. field: of :class:`Work`. time, memory: expected exponents. why: of
    both, in words. memory_what: what is called memory here. slope: bytes by which memory grows a unit, where that is
    known, of the parameters P and the activations of an image A, both counts of numbers, and of the work; memory is
    then a constant and this, whose exponent depends on both, and ``memory`` does not count.
    """

    what: str
    title: str
    field: str
    values: tuple[int, ...]
    base: Work = Work()
    time: float
    memory: float = 0.0
    why: str
    memory_what: str = "peak memory"
    slope: Callable[[int, int, Work, torch.device], float] | None = None


def stored_states(parameters: int, activations: int, work: Work, device: torch.device) -> float:
    """Of an inner step: one state, which beside a GPU lies in the memory of the CPU."""
    del activations, work
    return 0.0 if device.type == "cuda" else 4.0 * parameters


def one_graph(parameters: int, activations: int, work: Work, device: torch.device) -> float:
    """Of an image per class more: the graph of one inner step, and what walking back through it takes in passing."""
    del parameters, device
    return 4.0 * (KEPT_PER_ACTIVATION + PASSING_PER_ACTIVATION) * activations * work.classes


def a_row(parameters: int, activations: int, work: Work, device: torch.device) -> float:
    """Of an epoch more: a row of the trajectory, which is in the memory of the CPU until the expert is finished."""
    del activations, work
    return 0.0 if device.type == "cuda" else 4.0 * parameters


def two_pages(parameters: int, activations: int, work: Work, device: torch.device) -> float:
    """Of an expert file more: what is read of it to learn its header."""
    del parameters, activations, work, device
    return 8192.0


STEP, EXPERTS, EXAM, OPENING, SPAN = "outer step", "experts", "evaluation", "opening a buffer", "span"
FEW_STEPS = Work(inner_steps=4)
AXES: dict[str, Axis] = {
    "step-N": Axis(
        what=STEP,
        title="outer step: inner steps N",
        field="inner_steps",
        values=(5, 10, 20, 40),
        time=1,
        why="every inner step is walked there and back once; of each only its state is kept, so memory is a constant "
        "(one step's graph) and one vector of P numbers a step, none on a GPU: its exponent is small, and grows with N",
        slope=stored_states,
    ),
    "step-ipc": Axis(
        what=STEP,
        title="outer step: images per class",
        field="ipc",
        values=(1, 2, 4, 8),
        base=FEW_STEPS,
        time=1,
        why="a step sees every synthetic image, so its operations and the activations of its one graph are in "
        "proportion; the vectors of P numbers do not grow, which flattens the first part",
        slope=one_graph,
    ),
    "step-ipc-batch": Axis(
        what=STEP,
        title="outer step: images per class, batch_syn fixed",
        field="ipc",
        values=(1, 2, 4, 8),
        base=replace(FEW_STEPS, batch_syn=10),
        time=0,
        memory=0,
        why="with batch_syn fixed a step sees as many images whatever their number; only the images themselves and "
        "their gradient grow, some kB an image",
    ),
    "step-classes": Axis(
        what=STEP,
        title="outer step: classes",
        field="classes",
        values=(10, 20, 40, 80),
        base=FEW_STEPS,
        time=1,
        memory=1,
        why="at one image a class the batch is the number of classes; the last layer grows with it too, but is small",
    ),
    "step-size": Axis(
        what=STEP,
        title="outer step: pixels a side",
        field="size",
        values=(16, 32, 64, 128),
        base=FEW_STEPS,
        time=2,
        memory=2,
        why="every layer of a ConvNet works on a plane of size times size pixels; its kernels do not grow, only the "
        "last layer does, as the plane that reaches it. On a CPU time may grow faster where a layer leaves its caches, "
        "and memory slower at first, where vectors of P numbers weigh",
    ),
    "experts-count": Axis(
        what=EXPERTS,
        title="experts: how many",
        field="experts",
        values=(1, 2, 4, 8),
        time=1,
        memory=0,
        why="on a CPU one is trained after the other, each written when it is finished; on a GPU several are trained "
        "side by side until it is busy, so time grows less and memory more, up to as many as are trained together",
    ),
    "experts-epochs": Axis(
        what=EXPERTS,
        title="experts: epochs",
        field="epochs",
        values=(1, 2, 4, 8),
        time=1,
        why="every epoch costs the same; of each a row of P numbers is kept in the memory of the CPU until the expert "
        "is written: a constant (the batch's activations), and a small slope",
        slope=a_row,
    ),
    "experts-classes": Axis(
        what=EXPERTS,
        title="experts: classes",
        field="classes",
        values=(10, 20, 40, 80),
        time=0,
        memory=0,
        why="batch and images stay; only the last layer grows",
    ),
    "experts-size": Axis(
        what=EXPERTS,
        title="experts: pixels a side",
        field="size",
        values=(16, 32, 64),
        time=2,
        memory=2,
        why="operations and activations are in proportion to the pixels",
    ),
    "evaluation-networks": Axis(
        what=EXAM,
        title="evaluation: networks",
        field="networks",
        values=(1, 2, 4, 8),
        time=1,
        memory=0,
        why="on one thread a network is trained after the other; on a GPU several side by side, until it is busy",
    ),
    "evaluation-ipc": Axis(
        what=EXAM,
        title="evaluation: images per class",
        field="ipc",
        values=(1, 2, 4, 8),
        time=1,
        memory=0,
        why="an epoch shows every image once; building and testing a network, which an evaluation does besides, "
        "flattens the first part. The batch, and with it memory, stays",
    ),
    "evaluation-classes": Axis(
        what=EXAM,
        title="evaluation: classes",
        field="classes",
        values=(10, 20, 40, 80),
        time=1,
        memory=0,
        why="as with more images per class; the last layer grows a little",
    ),
    "evaluation-size": Axis(
        what=EXAM,
        title="evaluation: pixels a side",
        field="size",
        values=(16, 32, 64),
        time=2,
        memory=2,
        why="operations and activations are in proportion to the pixels",
    ),
    "opening-experts": Axis(
        what=OPENING,
        title="opening a buffer: experts",
        field="experts",
        values=(1, 10, 100, 1000),
        time=1,
        why="the header of every file is read, a page or two, to know that it is there and whole; beside it the "
        "folder's description, which is what one expert's opening mostly is",
        memory_what="bytes read",
        slope=two_pages,
    ),
    "span-experts": Axis(
        what=SPAN,
        title="span of a buffer: experts",
        field="experts",
        values=(1, 10, 100, 1000),
        time=0,
        memory=0,
        why="two rows are read, however many other experts there are",
        memory_what="bytes read",
    ),
}
TINY = {"network": "convnet-d1-w4", "size": 8}
"""The network of the experts in a buffer, whose rows are small so that a thousand of them fit everywhere."""

SPANS = 20
"""Read in one call, since one takes microseconds."""


class DrawnBuffer:
    """A buffer of small drawn experts, all files hard links to one: what is counted is what read calls return."""

    def __init__(self, folder: Path, experts: int, seed: int) -> None:
        self.folder = folder
        real = generated_real(images=1, size=TINY["size"], seed=seed)
        description = describe_buffer(real, TINY["network"], ExpertRecipe(count=experts), seed)
        rows = torch.randn(51, description.parameter_count, generator=stream(seed, "benchmark rows"))
        write_expert(folder, 0, Trajectory(parameters=rows, statistics=None, curves={}), description)
        write_description(folder, description)
        for expert in range(1, experts):
            expert_path(folder, expert).hardlink_to(expert_path(folder, 0))

    def job(self, what: str) -> Callable[[], object]:
        """A call opens the buffer, or reads spans of the last expert in one that is open."""
        if what == OPENING:
            return lambda: ExpertBuffer.open(self.folder)
        buffer = ExpertBuffer.open(self.folder)
        return lambda: [buffer[len(buffer) - 1, epoch] for _ in range(SPANS) for epoch in (10, 12)]


def job_of(axis: Axis, value: int, base: Work, device: torch.device, folder: Path) -> Callable[[], object]:
    """What one call is timed for, with everything that does not count made before."""
    work = replace(base, **{axis.field: value})
    match axis.what:
        case "outer step":
            step = DrawnStep(work, device)
            return lambda: step.gradient(work.inner_steps)
        case "experts":
            return experts_job(work, device)
        case "evaluation":
            return evaluation_job(work, device)
    place = folder / f"{axis.what} {value}"
    place.mkdir(parents=True)
    return DrawnBuffer(place, value, work.seed).job(axis.what)


def memory_cell(axis: Axis, value: int, base: Work, device: torch.device) -> int:
    """Peak of one call above the memory after a call of the smallest size, in bytes. On a CPU, for a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        job_of(axis, min(axis.values), base, device, Path(folder))()
        job = job_of(axis, value, base, device, Path(folder))
        with PeakMemory(device) as peak:
            job()
    return peak.above


def read_bytes(job: Callable[[], object]) -> int:
    """What read calls return to this process during a call, in bytes."""
    job()
    before = process_counter("rchar")
    job()
    return process_counter("rchar") - before


def memory_of(
    name: str, axis: Axis, jobs: dict[int, Callable[[], object]], options: argparse.Namespace, device: torch.device
) -> list[int]:
    """By value: peak memory of the work, or the bytes that it reads."""
    if axis.what in (OPENING, SPAN):
        return [read_bytes(job) for job in jobs.values()]
    if device.type == "cuda":
        return [memory_cell(axis, value, base_of(axis, options), device) for value in jobs]
    return [fresh_process(__file__, options, {"axis": name, "value": value}, exact=True) for value in jobs]


def base_of(axis: Axis, options: argparse.Namespace) -> Work:
    """The axis's own base point, with the network and the seed that were asked for."""
    return replace(axis.base, network=options.network, seed=options.seed)


def exponent(values: Sequence[float], costs: Sequence[float]) -> float:
    """Slope of the line through the logarithms, by least squares."""
    return float(np.polyfit(np.log(values), np.log(costs), 1)[0])


def measured(name: str, options: argparse.Namespace, device: torch.device, folder: Path) -> dict[str, Any]:
    """One axis: what was taken at each value, and the exponents beside those expected."""
    axis, base = AXES[name], base_of(AXES[name], options)
    values = axis.values[: options.points]
    jobs = {value: job_of(axis, value, base, device, folder) for value in values}
    for job in jobs.values():
        job()
    taken = interleaved({str(value): job for value, job in jobs.items()}, options.repeats, device)
    seconds = [taken[str(value)] for value in values]
    memory = memory_of(name, axis, jobs, options, device)
    found: dict[str, Any] = {"what": axis.what, "field": axis.field, "values": values, "why": axis.why}
    powers = [(value / values[0]) ** axis.time for value in values]
    found["seconds"] = beside(values, seconds, [seconds[0] * power for power in powers])
    if axis.slope is None:
        powers = [(value / values[0]) ** axis.memory for value in values]
        found[axis.memory_what] = beside(values, memory, [memory[0] * power for power in powers])
        return found
    step = DrawnStep(base, torch.device("cpu"))
    a_unit = axis.slope(step.begin.numel(), step.activations, base, device)
    slope, constant = (float(number) for number in np.polyfit(values, memory, 1))
    found[axis.memory_what] = {
        **beside(values, memory, [memory[0] + a_unit * (value - values[0]) for value in values]),
        "bytes a unit": slope,
        "bytes at 0": constant,
        "expected bytes a unit": a_unit,
    }
    return found


def beside(values: Sequence[int], costs: Sequence[float], expected: Sequence[float]) -> dict[str, Any]:
    """Costs and their exponents, and those expected from the cost of the smallest value."""
    return {
        "by value": costs,
        "exponent": exponent(values, costs),
        "at the end": exponent(values[-2:], costs[-2:]),
        "expected by value": expected,
        "expected": round(exponent(values, expected), 3) + 0.0,
    }


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Small multiples, one an axis, both scales logarithmic; costs are relative to those of the smallest size."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    columns = min(4, len(found))
    rows = -(-len(found) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(3.4 * columns, 3.0 * rows), squeeze=False)
    for panel in panels.flat[len(found) :]:
        panel.set_axis_off()
    for panel, (name, one) in zip(panels.flat, found.items(), strict=False):
        values = np.array(one["values"], float)
        costs = {"time": one["seconds"]} | {what: one[what] for what in ("peak memory", "bytes read") if what in one}
        for (what, cost), color, mark in zip(costs.items(), ("tab:blue", "tab:orange"), ("o", "s"), strict=True):
            relative = np.array(cost["by value"], float) / cost["by value"][0]
            label = f"{what} {cost['exponent']:.2f} (expected {cost['expected']:.2f})"
            panel.plot(values, relative, color=color, marker=mark, markersize=4, linewidth=1.2, label=label)
            expected = np.array(cost["expected by value"]) / cost["by value"][0]
            panel.plot(values, expected, color=color, linestyle=":", linewidth=1.2)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(values, [f"{value:g}" for value in values])
        low, high = panel.get_ylim()
        low, high = min(low, 0.6), 3 * max(high, 3.0)  # room for the legend
        ticks = [tick for power in range(6) for tick in (10**power, 3 * 10**power) if tick < high]
        panel.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        panel.set_ylim(low, high)
        panel.minorticks_off()
        panel.set_title(AXES[name].title, fontsize=9)
        panel.tick_params(labelsize=7)
        panel.legend(fontsize=6.5, loc="upper left", frameon=False)
        panel.grid(alpha=0.25)
    figure.supylabel("cost, relative to the smallest size; dotted: as expected", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measured(name, options, device, Path(folder) / name) for name in options.axes}
    if options.picture is not None:
        draw(found, options.picture)
    ratios = {}
    for name, one in found.items():
        memory = one[AXES[name].memory_what]
        if memory.get("expected bytes a unit"):
            ratios[f"{name}, bytes a unit / expected"] = memory["bytes a unit"] / memory["expected bytes a unit"]
        if one["seconds"]["expected"]:
            ratios[f"{name}, exponent of time / expected"] = one["seconds"]["exponent"] / one["seconds"]["expected"]
    return {"axes": found, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("How time and memory grow with each size, and the exponents that are expected.")
    made.add_argument("--network", default="convnet-d3", help="of students, experts and evaluation")
    made.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES), help="what is varied")
    made.add_argument("--points", type=int, help="how many values of each axis, the smallest first; at least 2")
    made.add_argument("--picture", type=Path, help="where a PNG of all axes is written")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    made = parser()
    options, device = start(made, given)
    if options.child is not None:
        child = argparse.Namespace(**json.loads(options.child))
        torch.set_num_threads(child.threads)
        axis = AXES[child.axis]
        print(memory_cell(axis, child.value, base_of(axis, child), torch.device(child.device)))
        return
    if options.points is not None and options.points < 2:
        made.error("--points must be at least 2")
    report("scaling", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
