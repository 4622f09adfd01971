"""What the benchmarks share: clocks, memory, fresh processes, and the one line that each of them prints."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.errors import UserError
from ddbench.randomness import stream
from ddbench.runtime.device import choose_device, synchronize
from ddbench.runtime.provenance import code_identity, device_name, versions

EXACT_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""glibc gives every block above this back at once, so that resident memory is live memory. Slower: not for timing."""


WAYS = ("plain", "eager", "compiled", "together", "workers")
"""Of training networks: a plain loop; ddbench's own, one network at a time, uncompiled and compiled; compiled, several
networks side by side on one device; compiled, shared out to processes."""

_NOT_SETTINGS = ("out", "picture", "folder", "data_root", "child")
"""Options that are paths of one machine, or say which part of a benchmark a process is."""


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; 1 is the least sensitive to other load")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; times are medians over them")
    parser.add_argument("--out", type=Path, help="also write the line to this file")
    return parser


def add_ways(parser: argparse.ArgumentParser) -> None:
    """Options that say which ways of training networks are compared, as ``start(..., ways=True)`` reads them."""
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, help="unset: together on CUDA, workers on a CPU, and the rest"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes, where they are a way")
    parser.add_argument("--together", type=int, default=5, help="networks side by side, where that is a way")
    threads = sorted({1, os.cpu_count() or 1})
    parser.add_argument(
        "--plain-threads", type=int, nargs="+", default=threads, help="of the plain loop; each is tried"
    )


def start(
    parser: argparse.ArgumentParser, given: Sequence[str] | None = None, *, ways: bool = False
) -> tuple[argparse.Namespace, torch.device]:
    """Read the command line, set the threads, find the device; a problem with them ends the process with status 2.

    ways: whether the options of ``add_ways`` are among them; those that were not chosen are then filled in.
    """
    options = parser.parse_args(given)
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats must be at least 1")
    torch.set_num_threads(options.threads)
    try:
        device = choose_device(options.device)
    except UserError as error:
        parser.error(str(error))
    if ways and options.ways is None:
        options.ways = [way for way in WAYS if way != ("workers" if device.type == "cuda" else "together")]
    return options, device


def plain_jobs(options: argparse.Namespace, job: Callable[[int], object]) -> dict[str, Callable[[int], object]]:
    """The plain way, where it is one, with each number of threads: which is faster depends on what else runs."""
    numbers: list[int] = options.plain_threads if "plain" in options.ways else []
    return {f"plain, {n} threads": with_threads(n, job) for n in numbers}


def best_plain(costs: Mapping[str, float]) -> float | None:
    """The least of the plain ways' costs: what the others are compared with. None where there is none."""
    return min((cost for way, cost in costs.items() if way.startswith("plain")), default=None)


def with_threads(threads: int, job: Callable[[int], object]) -> Callable[[int], object]:
    """A job of a length with so many torch threads; afterwards they are as many as before."""

    def run(length: int) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            job(length)
        finally:
            torch.set_num_threads(before)

    return run


def report(name: str, options: argparse.Namespace, device: torch.device, **figures: Any) -> None:
    """Print one JSON line, and write it where ``--out`` says: the figures, and on what they were measured."""
    settings = {
        key: value
        for key, value in vars(options).items()
        if key not in ("out", "data_root", "child", "picture", "folder")
    }
    document: dict[str, Any] = {
        "name": name,
        "seeds": [options.seed],
        **figures,
        "settings": settings,
        "machine": device_name(device),
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "torch_threads": torch.get_num_threads(),
        "versions": versions(),
        "code": code_identity(),
    }
    line = json.dumps(document)
    print(line, flush=True)
    if options.out is not None:
        options.out.write_text(line + "\n")


def fresh_process(script: str, options: argparse.Namespace, child: Mapping[str, Any], exact: bool = False) -> Any:
    """What ``script``, started anew with ``--child``, prints last, read as JSON. exact: under ``EXACT_MALLOC``."""
    kept = {key: value for key, value in vars(options).items() if key not in ("out", "child", "picture")}
    payload = json.dumps({**kept, **child}, default=str)
    done = subprocess.run(
        [sys.executable, script, "--child", payload],
        env={**os.environ, **(EXACT_MALLOC if exact else {})},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed with {dict(child)}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def interleaved(jobs: Mapping[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each job; the jobs take turns, so that what else the machine does meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            synchronize(device)
            begun = time.perf_counter()
            job()
            synchronize(device)
            seconds[name].append(time.perf_counter() - begun)
    return {name: median(times) for name, times in seconds.items()}


def marginal_seconds(
    jobs: Mapping[str, Callable[[int], object]], lengths: tuple[int, int], repeats: int, device: torch.device
) -> dict[str, dict[str, float]]:
    """Of each job, which takes a length: seconds of one unit more, and those that a call takes whatever its length.

    The first call of each is not counted but told, as ``first_call_seconds``: it compiles, and starts processes. Then
    the short and the long calls take turns, and their medians give a line.
    """
    short, long = lengths
    first: dict[str, float] = {}
    for name, job in jobs.items():
        begun = time.perf_counter()
        job(short)
        synchronize(device)
        first[name] = time.perf_counter() - begun
    calls = {
        f"{name}, {length}": lambda job=job, length=length: job(length)
        for name, job in jobs.items()
        for length in lengths
    }
    taken = interleaved(calls, repeats, device)
    found: dict[str, dict[str, float]] = {}
    for name in jobs:
        briefly, at_length = taken[f"{name}, {short}"], taken[f"{name}, {long}"]
        each = (at_length - briefly) / (long - short)
        found[name] = {
            "seconds_a_unit": each,
            "seconds_besides": briefly - short * each,
            "seconds_short": briefly,
            "seconds_long": at_length,
            "first_call_seconds": first[name],
        }
    return found


class PeakMemory:
    """``with PeakMemory(device) as peak``: afterwards ``peak.above`` is the most memory held above the start, in bytes.

    On CUDA of torch's allocator; on Linux of the process's resident set, whose high-water mark is reset; elsewhere the
    mark of the whole process so far, which says too little where more had been in use before.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.above, self._begun = device, 0, 0

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self._begun = torch.cuda.memory_allocated(self.device)
        else:
            self._begun = _reset_high_water()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.device.type == "cuda":
            synchronize(self.device)
            self.above = torch.cuda.max_memory_allocated(self.device) - self._begun
        else:
            self.above = high_water() - self._begun


def _reset_high_water() -> int:
    """Set the mark to what is resident now, where the system can, and return it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return high_water()
    return status_bytes("VmRSS")


def high_water() -> int:
    """The largest resident set since the process began or the mark was reset, in bytes."""
    try:
        return status_bytes("VmHWM")
    except (OSError, KeyError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def status_bytes(field: str) -> int:
    """A field of ``/proc/self/status`` that is given in kB, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[field].split()[0]) * 1024


def process_counter(field: str) -> int:
    """A field of ``/proc/self/io``, such as ``rchar``: what this process has read, in bytes.

    Errors: OSError, KeyError where the system does not tell."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)[field])


def mapped_bytes(under: str) -> int:
    """What is resident of the files whose paths begin with ``under`` and that this process maps, in bytes."""
    total, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if not fields[0].endswith(":"):
            here = len(fields) > 5 and fields[5].startswith(under)
        elif here and fields[0] == "Rss:":
            total += int(fields[1]) * 1024
    return total


def generated_real(
    *, images: int, classes: int = 10, channels: int = 3, size: int = 32, test: int = 0, seed: int = 0
) -> RealSet:
    """Drawn uint8 images with drawn labels: as heavy as real ones, and everyone has them."""
    generator = stream(seed, "benchmark images")

    def split(n: int) -> Split:
        pixels = torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=generator)
        return Split(pixels, torch.randint(0, classes, (n,), generator=generator))

    return RealSet(
        name="generated",
        class_names=tuple(f"class {label}" for label in range(classes)),
        train=split(images),
        validation=split(0),
        test=split(test),
        preprocessing=Preprocessing.meanstd([0.5] * channels, [0.29] * channels),
        fingerprint=f"generated-{seed}-{images}-{test}",
    )
