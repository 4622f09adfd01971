"""Time of distillation on this device: a few outer steps on drawn data, timed and multiplied."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import TypeVar

import torch
from torch import Tensor

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_state import OuterState, identity
from ddbench.distillation.run_dir import Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.randomness import stream
from ddbench.runtime.compute import Compute
from ddbench.runtime.device import synchronize
from ddbench.runtime.threads import threads_for

K = TypeVar("K", bound=Hashable)

ENOUGH = 5.0
"""Seconds after which nothing more of one kind is timed, but for what is needed."""

_ROUND_SECONDS = 0.5
"""About how long what is timed is to take, where more steps than the fewest are."""

ROUNDS = 5
"""How often each thing is timed at most; the median counts."""


@dataclass(frozen=True, kw_only=True)
class TimingSetup:
    """Setup on which steps are timed: a student or another network, on images of a shape, on a device."""

    network: str
    """Canonical name of the network."""
    shape: ImageShape
    """Images and classes."""
    compute: Compute
    """How steps are computed."""
    mirror: bool = True
    """Whether the images may be mirrored in augmentation."""

    def drawn(self, images: int, validation: int = 0, test: int = 0) -> RealSet:
        """Draw noise in the stead of a real set: uint8 images, labeled in turn.

        Args:
            images: Training images.
            validation: Validation images.
            test: Test images.

        Returns:
            The set, on the device of the setup.
        """

        def split(count: int, part: str) -> Split:
            pixels = torch.randint(
                0, 256, (count, *self.shape.image), dtype=torch.uint8, generator=stream(0, "rehearsal", part)
            )
            return Split(pixels, torch.arange(count) % self.shape.classes)

        return RealSet(
            name="drawn",
            class_names=tuple(f"class {label}" for label in range(self.shape.classes)),
            train=split(images, "train"),
            validation=split(validation, "validation"),
            test=split(test, "test"),
            preprocessing=Preprocessing.meanstd([0.5] * self.shape.channels, [0.29] * self.shape.channels),
            fingerprint="drawn",
            mirror=self.mirror,
        ).to(self.compute.device)


class DrawnExpert:
    """One trajectory that walks at random from the network's own parameters; its epochs lie in memory.

    Args:
        begin: Parameters that it begins at, (P,).
        rows: Epochs that differ; further ones repeat them.
    """

    epochs = 10**6

    def __init__(self, begin: Tensor, rows: int) -> None:
        walk = (0.01 * torch.randn(begin.shape, generator=stream(0, "rehearsal", row)) for row in range(rows))
        self._rows = [begin.cpu() + away for away in walk]

    def __len__(self) -> int:
        return 1

    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        del expert, epoch
        return None

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return self._rows[key[1] % len(self._rows)]


def outer_step_seconds(method: OptimizedMethod, ipc: int, stage: TimingSetup, images: int = 0) -> float:
    """Time one outer step of a method.

    Where it is made of equal inner steps, steps of two numbers of these are timed, and a line drawn through them: the
    larger is one that takes about a second, or all. Else it is the mean of as many outer steps as take ``ENOUGH``
    seconds, without the first.

    Args:
        method: The method.
        ipc: Images per class.
        stage: Student, shape of the images and device.
        images: Real images, for a method that draws from them; at least those of the set are there.

    Returns:
        Seconds of one outer step.
    """
    with tempfile.TemporaryDirectory() as folder:
        outer_state = _outer_state(method, ipc, stage, Run(Path(folder)), images)
        numbers = iter(range(10**9))

        def take(shown: OptimizedMethod) -> float:
            outer_state.method = shown
            return seconds(lambda: outer_state.step(OuterStep(next(numbers), 0)), stage.compute.device)

        with threads_for(outer_state.batch_floats(), stage.compute.device):
            short = method.with_inner_steps(1)
            if short is None:
                return _mean_seconds(lambda: take(method))
            return _extrapolated_seconds(method, short, take, outer_state)


def _mean_seconds(take: Callable[[], float]) -> float:
    first, taken = take(), []
    while sum(taken, first) < ENOUGH:
        taken.append(take())
    return fmean(taken or [first])


def _extrapolated_seconds(
    method: OptimizedMethod, short: OptimizedMethod, take: Callable[[OptimizedMethod], float], outer_state: OuterState
) -> float:
    """Seconds of an outer step from those of two numbers of inner steps."""
    few, whole = _inner_steps(short), _inner_steps(method)
    if outer_state.task.compiled_gradient(outer_state.syn.label_kind, batch=1, steps=1) is not None:
        take(short)  # which compiles
    first = take(short)
    many = max(min(2 * few, whole), min(int(few * _ROUND_SECONDS / first), whole))
    longer = method.with_inner_steps(many) or method
    medians = in_turns({few: lambda: take(short), many: lambda: take(longer)}, {few: first})
    if many == few:
        return medians[few] * whole / few
    slope = max(medians[many] - medians[few], 0.0) / (many - few)
    return medians[many] + slope * (whole - many)


def _inner_steps(method: OptimizedMethod) -> int:
    return method.model_dump()["inner_steps"]


def _outer_state(method: OptimizedMethod, ipc: int, stage: TimingSetup, run: Run, images: int) -> OuterState:
    network = FlatNetwork(build_network(stage.network, stage.shape, seed=0))
    task = Task(
        real=stage.drawn(max(stage.shape.classes * ipc, images)),
        network=network.to(stage.compute.device),
        network_name=stage.network,
        experts=None if method.needed_epochs() is None else DrawnExpert(network.flatten(), 4),
        compute=stage.compute,
    )
    syn = method.timing_init(task, ipc, OuterStep(0, 0))
    settings = method.model_dump()
    batch = min(settings.get("batch_syn") or len(syn), len(syn))
    steps = method.iterations * settings.get("inner_steps", 1)
    task.compiled_gradient(syn.label_kind, batch=batch, steps=steps)  # decided for the whole run
    replace(syn, provenance={**syn.provenance, "identity": identity(method, task, ipc, 0)}).save(run.start)
    return OuterState(method, task, ipc, 0, run)


def seconds(job: Callable[[], object], device: torch.device) -> float:
    """Time one call, with the device synchronized before and after.

    Args:
        job: Function that is called.
        device: Device that it computes on.

    Returns:
        Seconds that it takes.
    """
    synchronize(device)
    start = time.perf_counter()
    job()
    synchronize(device)
    return time.perf_counter() - start


def in_turns(jobs: Mapping[K, Callable[[], float]], first: Mapping[K, float]) -> dict[K, float]:
    """Time jobs in turns, so that what else the machine does meets all of them.

    Args:
        jobs: Functions that return the seconds they took, by name.
        first: Seconds of the first call of some. The others are called once as well, and that is all where it took
            ``ENOUGH`` seconds; else first calls, which load and allocate, do not count, and there are up to ``ROUNDS``
            more.

    Returns:
        Median seconds by name.
    """
    begun = {name: first[name] if name in first else job() for name, job in jobs.items()}
    if sum(begun.values()) > ENOUGH:
        return begun
    taken: dict[K, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            taken[name].append(job())
        if sum(map(sum, taken.values())) > ENOUGH:
            break
    return {name: median(durations) for name, durations in taken.items()}
