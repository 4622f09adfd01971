"""How far an outer step and an epoch of an expert are from what the machine can do at all.

Counted are the floating point operations of convolutions and products (a multiplication and an addition are two), the
bytes that these read and write, as if nothing else touched memory and nothing stayed in a cache from one layer to the
next, and the operations that a device is asked to launch. Measured are the machine's own peaks: a large product of
matrices, a large copy, and every convolution and product of the work by itself, as the library (oneDNN, cuDNN) does it
alone. A limit is the longest of: operations at the peak, bytes at the bandwidth of a copy, and on a GPU launches of 5
microseconds each; which of them it is, is the bound. ddbench's own path is timed beside it.

An outer step goes N times forward through the student's gradient, and N times back; ``N`` here is ``--steps``, and
seconds are told for one inner step, there and back. An expert's epoch is that of 50,000 images with DSA, of which some
batches are timed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from time import perf_counter
from typing import Any

import torch
from measure import arguments, interleaved, marginal_seconds, report, start
from steps import DrawnStep, Work, experts_job
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.flop_counter import FlopCounterMode

from ddbench.networks import build_network
from ddbench.runtime.compile import missing_requirement
from ddbench.runtime.device import synchronize
from ddbench.runtime.provenance import device_name
from ddbench.training.losses import classification_loss
from ddbench.unroll.sgd_step import gradient

CIFAR_EPOCH = 50_000
LAUNCH_SECONDS = 5e-6
"""What it takes to start one operation on a GPU from Python, about."""

PUBLISHED: dict[str, dict[str, float]] = {
    "H200": {"bfloat16": 989e12, "tf32": 494.7e12, "float32": 67e12, "bytes": 4.8e12},
}
"""Dense operations a second by precision, and bytes a second, as the maker states them: NVIDIA H200 Tensor Core GPU,
data sheet, SXM; those of its tensor cores are given there with sparsity, which is twice as much."""

aten = torch.ops.aten
HEAVY = {
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
}
"""The operations that are counted: everything else could be done in passing, while one of these reads or writes."""


class Calls(TorchDispatchMode):
    """Counts what is called within: heavy operations by their arguments, bytes, and launches."""

    def __init__(self) -> None:
        super().__init__()
        self.heavy: Counter[tuple[Any, ...]] = Counter()
        self.heavy_bytes = self.all_bytes = self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.is_view or not any(isinstance(leaf, Tensor) for leaf in tree_flatten((args, kwargs, out))[0]):
            return out
        moved = sum(leaf.nbytes for leaf in tree_flatten((args, kwargs, out))[0] if isinstance(leaf, Tensor))
        self.launches += 1
        self.all_bytes += moved
        if func in HEAVY:
            self.heavy_bytes += moved
            leaves, shape = tree_flatten(args)
            told = tuple(_Like.of(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
            self.heavy[func, told, shape] += 1
        return out


class _Like(tuple[Any, ...]):
    """Shape, strides and dtype of a tensor, by which another like it is made."""

    @classmethod
    def of(cls, tensor: Tensor) -> _Like:
        return cls((tuple(tensor.shape), tensor.stride(), tensor.dtype))

    def made(self, device: torch.device) -> Tensor:
        shape, stride, dtype = self
        return torch.empty_strided(shape, stride, dtype=dtype, device=device).normal_()


def counted(job: Callable[[], object]) -> dict[str, Any]:
    """Operations, bytes, launches and heavy calls of one call of ``job``."""
    with Calls() as calls, FlopCounterMode(display=False) as flops:
        job()
    return {
        "operations": flops.get_total_flops(),
        "heavy_bytes": calls.heavy_bytes,
        "all_bytes": calls.all_bytes,
        "launches": calls.launches,
        "heavy": calls.heavy,
    }


def together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several counts as one."""
    return {key: sum((part[key] for part in parts), Counter() if key == "heavy" else 0) for key in parts[0]}


def best_seconds(job: Callable[[], object], device: torch.device, repeats: int = 5) -> float:
    """The shortest of a few calls, after one that is not timed: what nothing else disturbs."""
    best = inf
    for call in range(repeats + 1):
        synchronize(device)
        begun = perf_counter()
        job()
        synchronize(device)
        best = best if call == 0 else min(best, perf_counter() - begun)
    return best


def precisions(device: torch.device) -> tuple[str, ...]:
    return ("float32", "tf32", "bfloat16") if device.type == "cuda" else ("float32",)


def product_rate(precision: str, side: int, device: torch.device) -> float:
    """Operations a second of a product of two square matrices."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        return 2 * side**3 / best_seconds(lambda: torch.mm(a, b), device)
    finally:
        torch.set_float32_matmul_precision(before)


def copy_rate(size: int, device: torch.device) -> float:
    """Bytes a second, read and written, of a copy of ``size`` bytes."""
    a = torch.ones(size, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * size / best_seconds(lambda: b.copy_(a), device)


def library_seconds(heavy: Counter[tuple[Any, ...]], device: torch.device) -> float:
    """What the convolutions and products take, each called by itself on tensors of the same shape."""
    total = 0.0
    for (func, told, shape), count in heavy.items():
        args = tree_unflatten([leaf.made(device) if isinstance(leaf, _Like) else leaf for leaf in told], shape)
        total += count * best_seconds(lambda func=func, args=args: func(*args), device)
    return total


def outer_parts(step: DrawnStep) -> dict[str, dict[str, Any]]:
    """Counts of one inner step: the student's loss, its gradient, and the gradient's way back."""
    images, lr = step.outer
    away = step.target - step.begin

    def back() -> None:
        theta = step.begin.detach().requires_grad_()
        g = gradient(step.loss, theta, (images.view_as(images),), 0)  # the counter can not look at leaves
        torch.autograd.grad(g, (theta, images), away)

    with torch.no_grad():
        forward = counted(lambda: step.loss(step.begin, (images.detach(),), 0))
        way = counted(lambda: step.begin - lr * gradient(step.loss, step.begin, (images.detach(),), 0))
    return {"forward": forward, "gradient": way, "pull_back": counted(back)}


def update_parts(work: Work, device: torch.device) -> dict[str, dict[str, Any]]:
    """Counts of one update of an expert: its loss, and the whole update."""
    network = build_network(work.network, work.shape, seed=work.seed).to(device)
    images = torch.randn(work.batch, work.channels, work.size, work.size, device=device)
    labels = torch.arange(work.batch, device=device) % work.classes
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

    def update() -> None:
        optimizer.zero_grad()
        classification_loss(network(images), labels, "hard").backward()
        optimizer.step()

    with torch.no_grad():
        forward = counted(lambda: classification_loss(network(images), labels, "hard"))
    return {"forward": forward, "update": counted(update)}


def limits(count: Mapping[str, Any], rates: Mapping[str, float], device: torch.device) -> dict[str, Any]:
    """By precision: seconds that operations, bytes and launches take at the least, and the largest of them.

    rates: operations a second by precision, and bytes a second. Bytes are those of float32; bfloat16 has half of them.
    """
    found: dict[str, Any] = {}
    for precision in precisions(device):
        narrow = 2 if precision == "bfloat16" else 1
        seconds = {
            "operations": count["operations"] / rates[precision],
            "bytes": count["heavy_bytes"] / narrow / rates["bytes"],
        }
        if device.type == "cuda":
            seconds["launches"] = count["launches"] * LAUNCH_SECONDS
        bound = max(seconds, key=lambda what: seconds[what])
        found[precision] = {**seconds, "bound": bound, "seconds": seconds[bound]}
    return found


def compared(
    parts: Mapping[str, Mapping[str, Any]],
    path: Sequence[str],
    measured: Mapping[str, float],
    peaks: Mapping[str, Mapping[str, float]],
    device: torch.device,
) -> dict[str, Any]:
    """A piece of work beside its limits. path: the parts that ddbench's way goes through."""
    whole = together([parts[name] for name in path])
    by_rates = {source: limits(whole, rates, device) for source, rates in peaks.items()}
    alone = library_seconds(whole["heavy"], device)
    return {
        "parts": {name: {key: n for key, n in part.items() if key != "heavy"} for name, part in parts.items()},
        "limits": by_rates,
        "library_seconds": alone,
        "library_operations_a_second": whole["operations"] / alone,
        "seconds": dict(measured),
        "seconds / limit": {
            how: {precision: taken / limit["seconds"] for precision, limit in by_rates["measured"].items()}
            for how, taken in measured.items()
        },
    }


def ways(options: argparse.Namespace, device: torch.device) -> dict[str, bool]:
    """Eager, and compiled where that was not refused and the machine can."""
    compiles = options.compile == "on" or (options.compile == "auto" and not missing_requirement(device.type))
    return {"eager": False, "compiled": True} if compiles else {"eager": False}


def outer_step(options: argparse.Namespace, device: torch.device, ipc: int, peaks: Mapping[str, Any]) -> dict[str, Any]:
    work = Work(network=options.network, size=options.size, ipc=ipc, inner_steps=options.steps, seed=options.seed)
    steps = {how: DrawnStep(work, device, compile=fast) for how, fast in ways(options, device).items()}
    for step in steps.values():
        step.gradient(1)
    jobs = {how: lambda step=step: step.gradient(options.steps) for how, step in steps.items()}
    seconds = {how: taken / options.steps for how, taken in interleaved(jobs, options.repeats, device).items()}
    return compared(outer_parts(steps["eager"]), ("gradient", "pull_back"), seconds, peaks, device)


def expert_epoch(options: argparse.Namespace, device: torch.device, peaks: Mapping[str, Any]) -> dict[str, Any]:
    """As of one update; times of an epoch are those of its updates."""
    work = Work(network=options.network, size=options.size, batch=options.batch, seed=options.seed)
    work = replace(work, images=options.batch * options.updates)
    jobs = {
        how: lambda epochs, fast=fast: experts_job(
            replace(work, epochs=epochs), device, compile="on" if fast else "off", together=1
        )()
        for how, fast in ways(options, device).items()
    }
    taken = marginal_seconds(jobs, (1, 3), options.repeats, device)
    measured = {how: one["seconds_a_unit"] / options.updates for how, one in taken.items()}
    found = compared(update_parts(work, device), ("update",), measured, peaks, device)
    updates = -(-CIFAR_EPOCH // options.batch)
    found["epoch_seconds"] = {how: updates * each for how, each in measured.items()}
    by_precision = found["limits"]["measured"].items()
    found["epoch_limit_seconds"] = {precision: updates * limit["seconds"] for precision, limit in by_precision}
    return found


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    side, size = (8192, 2**30) if device.type == "cuda" else (options.side, 2**27)
    measured = {precision: product_rate(precision, side, device) for precision in precisions(device)}
    peaks: dict[str, dict[str, float]] = {"measured": {**measured, "bytes": copy_rate(size, device)}}
    if device.type == "cuda":
        peaks |= {f"published, {name}": rates for name, rates in PUBLISHED.items() if name in device_name(device)}
    found = {f"outer step, ipc {ipc}": outer_step(options, device, ipc, peaks) for ipc in options.ipc}
    if options.updates:
        found["update of an expert"] = expert_epoch(options, device, peaks)
    ratios = {
        f"{name}, {how} / limit in {precision}": ratio
        for name, one in found.items()
        for how, by_precision in one["seconds / limit"].items()
        for precision, ratio in by_precision.items()
    }
    tf32 = {"products": torch.get_float32_matmul_precision(), "convolutions": torch.backends.cudnn.allow_tf32}
    return {"peaks": peaks, "tf32": tf32 if device.type == "cuda" else None, "work": found, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("An outer step and an expert's epoch against the machine's physical limits.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--ipc", type=int, nargs="+", default=[1, 10, 50])
    made.add_argument("--steps", type=int, default=4, help="inner steps of the outer step that is timed")
    made.add_argument("--batch", type=int, default=256, help="of an expert")
    made.add_argument("--updates", type=int, default=4, help="of an expert, in the epoch that is timed; 0: no expert")
    made.add_argument("--compile", choices=("auto", "on", "off"), default="auto", help="auto: where the machine can")
    made.add_argument("--side", type=int, default=2048, help="of the matrices whose product is a CPU's peak")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    report("limits", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
