"""One span of an expert (two rows): from a buffer of several experts, against ``torch.load`` of a replay file of them.

Each way is taken in fresh processes, in turns, after the files were dropped from the page cache where the system lets
a user do so. Bytes touched are those of read calls and the part of mapped files that became resident (libraries, a few
megabytes, with it); disk bytes are what the system fetched, which reads ahead. A replay file, once loaded, has the
other experts too, so the seconds for a span of every expert are told as well.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measure import PeakMemory, arguments, fresh_process, generated_real, report, start, status_bytes

from ddbench.expert_buffers.description import describe_buffer
from ddbench.expert_buffers.legacy import export_replay_buffer
from ddbench.expert_buffers.store import ExpertBuffer, write_description, write_expert
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.expert_recipe import ExpertRecipe
from ddbench.randomness import stream

REPLAY = "replay_buffer_0.pt"


def write_files(folder: Path, options: argparse.Namespace) -> dict[str, int]:
    """A buffer of drawn experts, and the same experts as one replay file. Returns the bytes of either."""
    real = generated_real(images=10, size=options.size, seed=options.seed)
    description = describe_buffer(real, options.network, ExpertRecipe(count=options.experts), options.seed)
    buffer, replay = folder / "buffer", folder / "replay"
    buffer.mkdir()
    replay.mkdir()
    for expert in range(options.experts):
        generator = stream(options.seed, "benchmark rows", expert)
        rows = torch.randn(options.epochs + 1, description.parameter_count, generator=generator)
        write_expert(buffer, expert, Trajectory(parameters=rows, statistics=None, curves={}), description)
    write_description(buffer, description)
    export_replay_buffer(ExpertBuffer.open(buffer), replay, per_file=options.experts)
    return {way: sum(file.stat().st_size for file in (folder / way).iterdir()) for way in ("buffer", "replay")}


def drop_from_cache(folder: Path) -> None:
    """Ask the system to forget the pages of every file under ``folder``."""
    for path in folder.rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_spans(way: str, folder: Path, experts: int, epoch: int, length: int) -> dict[str, float]:
    """Read rows ``epoch`` and ``epoch + length`` of each expert in turn. For a fresh process.

    The first span counts the opening; bytes and memory are of that one. ``all_seconds``: of all of them together.
    """
    before = _counters()
    with PeakMemory(torch.device("cpu")) as peak:
        begun = time.perf_counter()
        read = _from_buffer(folder) if way == "buffer" else _from_replay(folder)
        checksum = [float(read(0, row).double().sum()) for row in (epoch, epoch + length)]
        seconds = time.perf_counter() - begun
    after = _counters()
    found = {"seconds": seconds, "peak_resident_bytes": peak.above}
    found |= {name: after[name] - before[name] for name in after}
    if "read_call_bytes" in found:
        found["touched_bytes"] = found["read_call_bytes"] + found["mapped_resident_bytes"]
    begun = time.perf_counter()
    for expert in range(1, experts):
        checksum += [float(read(expert, row).double().sum()) for row in (epoch, epoch + length)]
    return {**found, "all_seconds": seconds + time.perf_counter() - begun, "checksum": sum(checksum)}


def _from_buffer(folder: Path) -> Callable[[int, int], torch.Tensor]:
    buffer = ExpertBuffer.open(folder / "buffer")
    return lambda expert, row: buffer[expert, row]


def _from_replay(folder: Path) -> Callable[[int, int], torch.Tensor]:
    experts = torch.load(folder / "replay" / REPLAY)
    return lambda expert, row: torch.cat([tensor.reshape(-1) for tensor in experts[expert][row]])


def _counters() -> dict[str, int]:
    """What this process has read so far, and holds of mapped files, in bytes; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
        told = {name: int(value) for name, value in (line.split(": ") for line in lines)}
        return {
            "read_call_bytes": told["rchar"],
            "disk_bytes": told["read_bytes"],
            "mapped_resident_bytes": status_bytes("RssFile"),
        }
    except (OSError, KeyError):
        return {}


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {"buffer": [], "replay": []}
    where = stream(options.seed, "benchmark spans")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        sizes = write_files(folder, options)
        for _ in range(options.repeats):
            epoch = int(torch.randint(options.epochs - 1, (), generator=where))
            for way, runs in taken.items():
                drop_from_cache(folder)
                span = {"way": way, "folder": folder, "epoch": epoch, "length": 2}
                runs.append(fresh_process(__file__, options, span))
    if [run["checksum"] for run in taken["buffer"]] != [run["checksum"] for run in taken["replay"]]:
        raise RuntimeError("the two ways read different rows")
    figures = {
        way: {name: median(run[name] for run in runs) for name in runs[0] if name != "checksum"}
        for way, runs in taken.items()
    }
    names = ("seconds", "all_seconds", "touched_bytes", "disk_bytes", "peak_resident_bytes")
    told = [name for name in names if all(figures[way].get(name, 0) > 0 for way in figures)]
    ratios = {f"replay / buffer {name}": figures["replay"][name] / figures["buffer"][name] for name in told}
    return {"file_bytes": sizes, **figures, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("Reading one span of an expert: a buffer's two rows against a whole replay file.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--experts", type=int, default=10)
    made.add_argument("--epochs", type=int, default=20)
    made.add_argument("--folder", type=Path, help="where the files are written; the system's temporary folder if unset")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    if options.child is not None:
        child = json.loads(options.child)
        span = {name: child[name] for name in ("experts", "epoch", "length")}
        print(json.dumps(read_spans(child["way"], Path(child["folder"]), **span)))
        return
    report("store", options, device, **benchmark(options))


if __name__ == "__main__":
    main()
