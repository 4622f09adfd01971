"""TESLA on ImageNet-1K (1000 classes, 64 pixels) in small: what is predicted of its memory and time, and what it takes.

The method is that of the shipped recipe, on drawn images that are memory-mapped as decoded ones are, and drawn experts.
Each figure of memory is of a fresh process. By number of inner steps N: one outer step, above what lies there after a
warm-up of few inner steps. By real images: a whole distillation of three outer steps, from choosing the first pixels to
writing the set, above what lies there before it. Resident pages of the mapped file count, though the system may take
them back at any time; they are told apart. Of an expert and of an evaluation: the whole of a short one. Times are of
one process, in which what ``ddbench plan --time`` predicts and what the stage takes are measured in turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from imagenet_stages import EPOCHS, EXPERT, STAGES, course, measured, predicted_bytes
from measure import PeakMemory, arguments, fresh_process, report, start, status_bytes
from torch import Tensor

from ddbench.data.constants import IMAGENET
from ddbench.data.decode import open_images
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import activation_floats, distillation_bytes, outer_step_bytes
from ddbench.evaluate.protocols.builtin import protocol
from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.pipeline.jobs import jobs_of
from ddbench.plan.time_distillation import TimingSetup, outer_step_seconds
from ddbench.plan.time_training import evaluation_seconds, expert_seconds
from ddbench.randomness import stream
from ddbench.recipe.recipe import load_recipe
from ddbench.runtime.compute import Compute

RECIPE = "tesla-imagenet1k-ipc1"
EXPERTS = 2
STEPS = 3
"""Outer steps of a distillation: from the third on, momentum and the copy of it from the step before are there."""


class DrawnExperts:
    """Trajectories that walk at random from the network's own parameters; a row is drawn when it is read."""

    def __init__(self, begin: Tensor, epochs: int, seed: int) -> None:
        self.begin, self.epochs, self.seed = begin, epochs, seed

    def __len__(self) -> int:
        return EXPERTS

    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        del expert, epoch
        return None

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return torch.randn(self.begin.shape, generator=stream(self.seed, "row", *key)).mul_(0.01).add_(self.begin)


def method_of(options: argparse.Namespace, folder: Path, inner_steps: int) -> TrajectoryMatching:
    """The method of the recipe with what the options change."""
    keys = {"inner_steps": inner_steps, "batch_syn": options.batch_syn, "iterations": STEPS, "keep_every": STEPS}
    overrides = [f"method.{key}={value}" for key, value in keys.items()]
    loaded = load_recipe(RECIPE, [*overrides, *options.override])
    (method,) = [m.method for m in jobs_of(loaded, options.network, folder) if isinstance(m.method, TrajectoryMatching)]
    return method


def write_images(options: argparse.Namespace, path: Path, count: int) -> None:
    """A ``.npy`` file of drawn images, (count, 3, size, size), uint8."""
    shape = (count, 3, options.size, options.size)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    generator = np.random.default_rng(options.seed)
    for first in range(0, count, 1024):
        part = mapped[first : first + 1024]
        part[:] = generator.integers(0, 256, part.shape, dtype=np.uint8)
    mapped.flush()


def task_on(options: argparse.Namespace, device: torch.device, folder: Path, count: int) -> Task:
    """A task on the first ``count`` images of the file, labeled in turn."""
    images = open_images(folder / f"{count}.npy", (count, 3, options.size, options.size))
    if images is None:
        raise FileNotFoundError(folder / f"{count}.npy")
    split = Split(images, torch.arange(count) % options.classes)
    real = RealSet(
        name="generated",
        class_names=tuple(f"class {label}" for label in range(options.classes)),
        train=split,
        validation=split,
        test=split,
        preprocessing=Preprocessing.meanstd(*IMAGENET),
        fingerprint=f"generated-{options.seed}-{count}",
    )
    shape = ImageShape(3, options.size, options.classes)
    network = FlatNetwork(build_network(options.network, shape, seed=options.seed))
    experts = DrawnExperts(network.flatten(), 100, options.seed)
    on_device = network.to(device)
    return Task(
        real=real.to(device),
        network=on_device,
        network_name=options.network,
        experts=experts,
        compute=Compute(device=device),
    )


def step_cell(options: argparse.Namespace, device: torch.device, folder: Path, inner_steps: int) -> dict[str, int]:
    """One outer step of N inner ones, in bytes above what lies there after a step of one. For a fresh process."""
    task = task_on(options, device, folder, min(options.images))
    method = method_of(options, folder, inner_steps)
    with tempfile.TemporaryDirectory(dir=folder) as run:
        outer_state = OuterState(method, task, options.ipc, options.seed, Run(Path(run)))
        outer_state.method = method_of(options, folder, min(inner_steps, method.expert_epochs))
        outer_state.step(OuterStep(0, options.seed))
        outer_state.method = method
        with PeakMemory(device) as peak:
            outer_state.step(OuterStep(1, options.seed))
    return {"peak": peak.above}


def stage_cell(options: argparse.Namespace, device: torch.device, folder: Path, count: int) -> dict[str, int]:
    """A whole distillation from ``count`` real images, in bytes above what lies there before. For a fresh process."""
    task, method = task_on(options, device, folder, count), method_of(options, folder, min(options.steps))
    warm_up(task)
    before = _mapped()
    with tempfile.TemporaryDirectory(dir=folder) as run, PeakMemory(device) as peak:
        optimize(method, task, options.ipc, Path(run), seed=options.seed)
    mapped = _mapped() - before if device.type == "cpu" else 0
    return {"peak": peak.above, "mapped": mapped, "own": peak.above - mapped}


def whole_cell(options: argparse.Namespace, device: torch.device, folder: Path, name: str) -> dict[str, int]:
    """An expert or an evaluation, in bytes above what lies there before. For a fresh process."""
    task = task_on(options, device, folder, min(options.images))
    warm_up(task)
    before = _mapped()
    with tempfile.TemporaryDirectory(dir=folder) as made, PeakMemory(device) as peak:
        STAGES[name](options, task, Path(made))
    mapped = _mapped() - before if device.type == "cpu" else 0
    return {"peak": peak.above, "mapped": mapped, "own": peak.above - mapped}


def time_cell(options: argparse.Namespace, device: torch.device, folder: Path, inner_steps: int) -> dict[str, Any]:
    """Predicted and measured seconds of each stage, medians of rounds in which they take turns."""
    images, classes = min(options.images), options.classes
    task, method = task_on(options, device, folder, images), method_of(options, folder, inner_steps)
    stage = TimingSetup(
        network=options.network, shape=ImageShape(3, options.size, classes), compute=Compute(device=device)
    )
    shown = classes * options.ipc
    predict: dict[str, Callable[[], float]] = {
        "distillation": lambda: outer_step_seconds(method, options.ipc, stage),
        "expert": lambda: expert_seconds(EXPERT, 1, images, images, 1, stage),
        "evaluation": lambda: evaluation_seconds(
            protocol("tesla-v1"), course(options), shown, EPOCHS * shown, images, 1, stage
        ),
    }
    found: dict[str, dict[str, list[float]]] = {name: {"predicted": [], "measured": []} for name in predict}
    for _ in range(options.repeats):
        for name, expect in predict.items():
            found[name]["predicted"].append(expect())
            with tempfile.TemporaryDirectory(dir=folder) as made:
                found[name]["measured"].append(measured(name, options, task, method, Path(made)))
    return {name: {key: median(seconds) for key, seconds in both.items()} for name, both in found.items()}


def warm_up(task: Task) -> None:
    """Differentiate the network twice on two images, and take a step, so that libraries are loaded beforehand."""
    theta = task.network.flatten().requires_grad_()
    images = torch.zeros(2, task.real.channels, task.real.size, task.real.size, device=task.device)
    (gradient,) = torch.autograd.grad(task.network(theta, images).square().sum(), theta, create_graph=True)
    gradient.square().sum().backward()
    torch.optim.SGD([theta], lr=0.01, momentum=0.5).step()


def _mapped() -> int:
    """Resident pages of mapped files, in bytes; 0 where the system does not tell."""
    try:
        return status_bytes("RssFile")
    except (OSError, KeyError):
        return 0


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for count in options.images:
            write_images(options, folder / f"{count}.npy", count)
        exact = device.type == "cpu"
        cells = [*(("step", n) for n in options.steps), *(("stage", count) for count in options.images)]
        cells += [("whole", name) for name in STAGES]
        given = {"folder": str(folder)}
        found = {cell: fresh_process(__file__, options, {"cell": cell, **given}, exact) for cell in cells}
        timed = {"cell": ("time", min(options.steps)), **given}
        seconds = fresh_process(__file__, options, timed) if options.what == "all" else {}
        method = method_of(options, folder, 1)
    peaks = {n: found["step", n]["peak"] for n in options.steps}
    stages = {count: found["stage", count] for count in options.images}
    wholes = {name: found["whole", name] for name in STAGES}
    sizes, estimates = estimated(options, method)
    few, many, fewest, most = min(stages), max(stages), min(peaks), max(peaks)
    whole = distillation_bytes(estimates[fewest], sizes["learned"])
    both = predicted_bytes(options)
    ratios = {
        f"real images {many} / {few} memory": stages[many]["own"] / stages[few]["own"],
        **{f"outer step of {n} predicted / measured memory": estimates[n] / peaks[n] for n in peaks},
        "distillation predicted / measured memory": whole / stages[few]["own"],
        **{f"{name} predicted / measured memory": both[name] / wholes[name]["own"] for name in STAGES},
        **{f"{name} predicted / measured time": s["predicted"] / s["measured"] for name, s in seconds.items()},
    }
    if most > fewest:
        vectors = (most - fewest) * 4 * sizes["parameters"]
        ratios["growth by N / growth of stored vectors"] = (peaks[most] - peaks[fewest]) / vectors
    return {
        **sizes,
        "vector_bytes": 4 * sizes["parameters"],
        "peak_bytes": peaks,
        "estimated_bytes": estimates,
        "estimate_relative_error": {n: round(estimates[n] / peaks[n] - 1, 4) for n in peaks},
        "stage_bytes": stages,
        "stage_estimated_bytes": whole,
        "stage_estimate_relative_error": {count: round(whole / stages[count]["own"] - 1, 4) for count in stages},
        "whole_bytes": wholes,
        "whole_estimated_bytes": both,
        "seconds": seconds,
        "ratios": {name: round(ratio, 4) for name, ratio in ratios.items()},
    }


def estimated(options: argparse.Namespace, method: TrajectoryMatching) -> tuple[dict[str, int], dict[int, Estimate]]:
    """What the estimate is made from, and the estimated peak of an outer step by N, in bytes."""
    shape = ImageShape(3, options.size, options.classes)
    module = build_network(options.network, shape, seed=options.seed)
    images = options.classes * options.ipc
    learned = images * shape.pixels + (images * options.classes if "labels" in method.outer_rates() else 0)
    sizes = {
        "parameters": FlatNetwork(module).size,
        "activations": activation_floats(module, shape),
        "batch": min(method.batch_syn or images, images),
        "learned": learned,
    }
    moments = len(method.match.moments(method.expert_epochs, method.expert_epochs))
    parts = {"vectors": 2 if method.student_momentum else 1, "moments": moments, "device": options.device}
    unroll = method.unroll.build()
    steps = {n: outer_step_bytes(unroll, **sizes, **parts, inner_steps=n) for n in options.steps}
    return sizes, steps


def parser() -> argparse.ArgumentParser:
    made = arguments("Memory and time of TESLA at the size of ImageNet-1K, predicted and measured.")
    made.add_argument("--network", default="convnet-d4-w32")
    made.add_argument("--classes", type=int, default=1000)
    made.add_argument("--size", type=int, default=64, help="side of the images, in pixels")
    made.add_argument("--ipc", type=int, default=1)
    made.add_argument("--batch-syn", type=int, default=100, help="synthetic images an inner step sees")
    made.add_argument("--steps", type=int, nargs="+", default=[5, 10, 20, 40], help="numbers of inner steps, N")
    made.add_argument("--images", type=int, nargs="+", default=[4000, 32000], help="numbers of real images")
    made.add_argument("--what", choices=["all", "memory"], default="all")
    made.add_argument("-o", "--override", action="append", default=[], help="as of ddbench, on the recipe")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    if options.child is not None:
        child = argparse.Namespace(**json.loads(options.child))
        torch.set_num_threads(child.threads)
        kind, number = child.cell
        cell = {"step": step_cell, "stage": stage_cell, "whole": whole_cell, "time": time_cell}[kind]
        print(json.dumps(cell(child, torch.device(child.device), Path(child.folder), number)))
        return
    report("imagenet", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
