"""Time and peak memory of one outer step, by unroll and number of inner steps N.

An outer step is N student steps, the matching loss, and its gradient by images and student learning rate. Memory is
taken above that after a warm-up of one inner step, each (unroll, N) in a fresh process; time in one process, in turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import torch
from measure import PeakMemory, arguments, fresh_process, interleaved, report, start
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.estimates.memory import activation_floats, outer_step_bytes
from ddbench.methods.parts.matching import trajectory_matching_loss
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream
from ddbench.runtime.device import synchronize
from ddbench.training.losses import classification_loss
from ddbench.unroll.compiled_step import FastStep, GradientKernel
from ddbench.unroll.sgd_step import BatchLoss, SGDStep
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, Outer, TeslaUnroll, TruncatedUnroll, Unroll

UNROLLS: dict[str, Unroll] = {
    "full": FullUnroll(),
    "adjoint": AdjointUnroll(),
    "tesla": TeslaUnroll(),
    "truncated": TruncatedUnroll(8),
    "adjoint-compiled": AdjointUnroll(),
    "tesla-compiled": TeslaUnroll(),
}
COMPILED = "-compiled"


class OuterStep:
    """One outer step on drawn images, from drawn parameters towards a drawn target."""

    def __init__(self, options: argparse.Namespace, device: torch.device, most_steps: int) -> None:
        dtype, size, classes = getattr(torch, options.dtype), options.size, options.classes
        shape = ImageShape(options.channels, size, classes)
        generator = stream(options.seed, "benchmark unroll")
        module = build_network(options.network, shape, seed=options.seed)
        self.activations = activation_floats(module, shape)
        network = FlatNetwork(module).to(device, dtype)
        images = torch.randn(classes * options.ipc, options.channels, size, size, generator=generator)
        self.outer = (
            images.to(device, dtype).requires_grad_(),
            torch.tensor(options.student_lr, device=device, dtype=dtype, requires_grad=True),
        )
        self.begin = network.flatten()
        away = torch.randn(self.begin.shape, generator=generator).to(device, dtype)
        self.target = self.begin + 0.01 * away
        labels = torch.arange(classes, device=device).repeat_interleave(options.ipc)
        policy = augmentation(options.augmentation)
        draws = []
        if policy is not None:
            draws = [policy.draw(len(images), size, generator).to(device) for _ in range(most_steps)]

        def seen(outer: Outer, t: int) -> tuple[Tensor, Tensor]:
            return outer[0] if policy is None else policy.apply(outer[0], draws[t]), labels

        def of(theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
            return classification_loss(network(theta, images), labels, "hard")

        loss = BatchLoss(seen, of)
        self.plain = SGDStep(loss)
        self.fast = FastStep(loss, kernel=GradientKernel(of, device.type, strict=True))

    def gradient(self, name: str, inner_steps: int) -> tuple[Tensor, ...]:
        """By images and student learning rate, by the unroll of this name."""
        step = self.fast if name.endswith(COMPILED) else self.plain
        states = UNROLLS[name].run(step, self.begin, self.outer, inner_steps, [inner_steps])
        loss = trajectory_matching_loss(states[-1], self.target, self.begin)
        return torch.autograd.grad(loss, self.outer)


def memory_cell(options: argparse.Namespace, device: torch.device, unroll: str, inner_steps: int) -> int:
    """Peak of one outer step above the memory after a warm-up, in bytes. For a fresh process."""
    work = OuterStep(options, device, inner_steps)
    work.gradient(unroll, 1)
    with PeakMemory(device) as peak:
        work.gradient(unroll, inner_steps)
    return peak.above


def relative_error(got: Sequence[Tensor], want: Sequence[Tensor]) -> list[float]:
    """By input: norm of the difference over norm of what is wanted."""
    return [float((g - w).norm() / w.norm()) for g, w in zip(got, want, strict=True)]


def gradient_errors(
    name: str, work: OuterStep, options: argparse.Namespace, device: torch.device, inner_steps: int
) -> dict[str, Any]:
    """Of an adjoint's gradient to the full unroll's, and of both to float64's, which is what rounding alone does."""
    double = OuterStep(argparse.Namespace(**{**vars(options), "dtype": "float64"}), device, inner_steps)
    truth = double.gradient("adjoint", inner_steps)
    full, adjoint = (work.gradient(unroll, inner_steps) for unroll in ("full", name))
    return {
        "inner_steps": inner_steps,
        "inputs": ["images", "student_lr"],
        "adjoint to full": relative_error(adjoint, full),
        "full to float64": relative_error(full, truth),
        "adjoint to float64": relative_error(adjoint, truth),
    }


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    counts: list[int] = sorted(options.steps)
    fewest, most = counts[0], counts[-1]
    cells = [(unroll, n) for n in counts for unroll in options.unrolls]
    peaks = {
        f"{unroll} {n}": fresh_process(
            __file__, options, {"unroll": unroll, "n": n}, exact=options.allocator == "exact" and device.type == "cpu"
        )
        for unroll, n in cells
    }
    work = OuterStep(options, device, most)
    first_call = {}
    for unroll in options.unrolls:
        began = time.perf_counter()
        work.gradient(unroll, 1)
        synchronize(device)
        first_call[unroll] = round(time.perf_counter() - began, 3)
    jobs = {f"{u} {n}": lambda u=u, n=n: work.gradient(u, n) for u, n in cells}
    seconds = interleaved(jobs, options.repeats, device)
    parameters, itemsize = work.begin.numel(), work.begin.element_size()
    vectors = {n: 2 * (n + 1) * parameters * itemsize for n in counts}
    sizes = {"parameters": parameters, "activations": work.activations, "batch": len(work.outer[0])}
    figures: dict[str, Any] = {
        **sizes,
        "peak_bytes": peaks,
        "seconds": seconds,
        "first_call_seconds": first_call,
        "stored_vector_bytes": vectors,
        "estimated_bytes": {f"{u} {n}": outer_step_bytes(UNROLLS[u], **sizes, inner_steps=n) for u, n in cells},
    }
    ratios: dict[str, float] = {}
    for name in {"adjoint", "adjoint-compiled"} & set(options.unrolls) if "full" in options.unrolls else ():
        figures[f"gradient_relative_error of {name}"] = gradient_errors(name, work, options, device, fewest)
        ratios |= {
            f"{name} / full memory at {most}": peaks[f"{name} {most}"] / peaks[f"full {most}"],
            f"{name} / full seconds at {most}": seconds[f"{name} {most}"] / seconds[f"full {most}"],
        }
    if "adjoint" in options.unrolls and most > fewest:
        grown = peaks[f"adjoint {most}"] - peaks[f"adjoint {fewest}"]
        figures["adjoint_growth_bytes"] = grown
        ratios["adjoint growth / growth of stored vectors"] = grown / (vectors[most] - vectors[fewest])
    return {**figures, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("Time and peak memory of one outer step, by unroll and number of inner steps.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--ipc", type=int, default=1)
    made.add_argument("--steps", type=int, nargs="+", default=[10, 20, 50], help="numbers of inner steps, N")
    made.add_argument("--unrolls", nargs="+", choices=UNROLLS, default=list(UNROLLS))
    made.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    made.add_argument("--augmentation", choices=("none", "dsa"), default="none")
    made.add_argument("--student-lr", type=float, default=0.01)
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--channels", type=int, default=3)
    made.add_argument("--classes", type=int, default=10)
    made.add_argument(
        "--allocator",
        choices=("exact", "default"),
        default="exact",
        help="on a CPU with glibc: resident memory as live memory, or as a process without settings has it",
    )
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    if options.child is not None:
        child = argparse.Namespace(**json.loads(options.child))
        torch.set_num_threads(child.threads)
        print(memory_cell(child, torch.device(child.device), child.unroll, child.n))
        return
    report("unroll", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
