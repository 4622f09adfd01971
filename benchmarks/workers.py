"""How well several processes do what one does: experts and an evaluation by an executor of one worker and of several.

Executors are those of ``--executor``: processes of this machine and, where ray is installed, a local Ray cluster. Every
worker has one thread. Each trains few epochs and some more, in turns; the difference gives the seconds of an epoch,
without what starting processes takes, which the first calls tell. Efficiency is the seconds of one worker over those of
n, divided by n: 1 where n workers are n times as fast. Other work on the machine takes from the larger number first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import torch
from measure import arguments, marginal_seconds, report, start
from steps import Work, evaluation_job, experts_job

from ddbench.runtime.executors import Executor, Local, RayExecutor

KINDS: dict[str, Callable[[int], Executor]] = {
    "local": Local,
    "ray": lambda workers: RayExecutor(workers=workers),
}

GROUPS: dict[str, Callable[[int], tuple[tuple[int, ...], ...]]] = {
    "local": lambda workers: ((1, workers),),
    "ray": lambda workers: ((1,), (workers,)),
}
"""Numbers of workers that take turns: a process has one Ray cluster at a time."""


def jobs_of(
    executor: Executor, options: argparse.Namespace, device: torch.device
) -> dict[str, Callable[[int], object]]:
    """By what is trained: a call of some epochs on this executor."""
    work = Work(network=options.network, size=options.size, ipc=options.ipc, seed=options.seed)
    work = replace(work, experts=options.jobs, networks=options.jobs, images=options.images, batch=options.batch)
    how: dict[str, Any] = {"executor": executor, "compile": options.compile}
    return {
        "experts": lambda epochs: experts_job(replace(work, epochs=epochs), device, **how)(),
        "evaluation": lambda epochs: evaluation_job(
            replace(work, exam_epochs=epochs * options.exam_epochs, exam_batch=256), device, **how
        )(),
    }


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    kinds = options.executors or ["local", *(["ray"] if find_spec("ray") else [])]
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for kind in kinds:
        taken: dict[str, dict[str, float]] = {}
        for side_by_side in GROUPS[kind](options.workers):
            with ExitStack() as within:
                executors = {n: within.enter_context(KINDS[kind](n)) for n in side_by_side}
                jobs = {
                    f"{what}, {n} workers": job
                    for n, executor in executors.items()
                    for what, job in jobs_of(executor, options, device).items()
                }
                taken |= marginal_seconds(jobs, tuple(options.epochs), options.repeats, device)
        figures[kind] = taken
        for what in ("experts", "evaluation"):
            one, several = (taken[f"{what}, {n} workers"]["seconds_a_unit"] for n in (1, options.workers))
            ratios[f"{kind}, {what}: efficiency of {options.workers} workers"] = one / several / options.workers
    return {"seconds": figures, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("Efficiency of several workers over one, for experts and an evaluation.")
    made.add_argument("--executors", nargs="+", choices=KINDS, help="unset: local, and ray where it is installed")
    made.add_argument("--workers", type=int, default=2, help="compared with one")
    made.add_argument("--jobs", type=int, default=4, help="experts, and evaluation networks, that are shared out")
    made.add_argument("--compile", choices=("on", "off"), default="off")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--ipc", type=int, default=10, help="of the set that is evaluated")
    made.add_argument("--images", type=int, default=512, help="of an expert's epoch")
    made.add_argument("--batch", type=int, default=256, help="of an expert")
    made.add_argument("--epochs", type=int, nargs=2, default=[1, 3], help="of the short calls, and of the long ones")
    made.add_argument("--exam-epochs", type=int, default=5, help="epochs of an evaluation for each of those")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    report("workers", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
