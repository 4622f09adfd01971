"""One span of an expert (two rows): from a buffer of 100 experts, against ``torch.load`` of a file of ten of them.

Each way is taken in fresh processes, in turns, after the files were dropped from the page cache where the system lets
a user do so, and after a span of tiny files was read the same way, so that no library is loaded within what is counted.
Bytes touched are those of read calls and the resident part of the data files where they are mapped; disk bytes are what
the system fetched, which may read ahead. A replay file, once loaded, has its other experts too, so the seconds for a
span of every one of them are told as well.

Of the buffer's experts, those that the replay file holds are written whole. The others are files of the same length of
which the header is written and the rest is a hole: opening a buffer reads their headers, and no row of them is asked.
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
from measure import (
    PeakMemory,
    arguments,
    fresh_process,
    generated_real,
    mapped_bytes,
    process_counter,
    report,
    start,
)

from ddbench.expert_buffers.buffer import ExpertBuffer, expert_path, write_description, write_expert
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.expert_buffers.replay_buffer import export_replay_buffer
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.randomness import stream
from ddbench.recipe.experts import ExpertRecipe

BUFFER, REPLAY, WARM = "buffer", "replay", "warm"


def write_files(folder: Path, options: argparse.Namespace, size: int, experts: int, loaded: int, epochs: int) -> int:
    """A buffer of drawn experts, and the first ``loaded`` of them as one replay file. Returns P.

    size: of the images, in pixels. experts: in the buffer, those beyond ``loaded`` with a hole for their rows.
    """
    real = generated_real(images=10, size=size, seed=options.seed)
    description = describe_buffer(real, options.network, ExpertRecipe(count=experts), options.seed)
    buffer, replay = folder / BUFFER, folder / REPLAY
    buffer.mkdir(parents=True)
    replay.mkdir()
    for expert in range(loaded):
        generator = stream(options.seed, "benchmark rows", expert)
        rows = torch.randn(epochs + 1, description.parameter_count, generator=generator)
        write_expert(buffer, expert, Trajectory(parameters=rows, statistics=None, curves={}), description)
    write_description(buffer, description)
    export_replay_buffer(ExpertBuffer.open(buffer), replay, per_file=loaded)
    for expert in range(loaded, experts):
        copy_header(expert_path(buffer, expert % loaded), expert_path(buffer, expert))
    return description.parameter_count


def copy_header(whole: Path, copy: Path) -> None:
    """A file as long as ``whole``, with the same header and nothing after it."""
    with whole.open("rb") as file:
        length = file.read(8)
        header = file.read(int.from_bytes(length, "little"))
    copy.write_bytes(length + header)
    os.truncate(copy, whole.stat().st_size)


def drop_from_cache(folder: Path) -> None:
    """Ask the system to forget the pages of every file under ``folder``."""
    for path in folder.rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_spans(way: str, folder: Path, experts: int, epoch: int) -> dict[str, float]:
    """Read rows ``epoch`` and ``epoch + 2`` of each of the first experts in turn. For a fresh process.

    The first span counts the opening; bytes and memory are of that one. ``all_seconds``: of all of them together.
    """
    opened = _from_buffer if way == "buffer" else _from_replay
    warm = opened(folder / WARM)
    checked(warm(0, 0))
    del warm
    before = _counters(folder)
    with PeakMemory(torch.device("cpu")) as peak:
        begun = time.perf_counter()
        read = opened(folder)
        span = [read(0, row) for row in (epoch, epoch + 2)]
        seconds = time.perf_counter() - begun
    after = _counters(folder)
    found = {"seconds": seconds, "peak_resident_bytes": peak.above}
    found |= {name: after[name] - before[name] for name in after}
    if "read_call_bytes" in found:
        found["touched_bytes"] = found["read_call_bytes"] + found["mapped_resident_bytes"]
    checksum = sum(checked(row) for row in span)
    begun = time.perf_counter()
    spans = [read(expert, row) for expert in range(1, experts) for row in (epoch, epoch + 2)]
    found["all_seconds"] = seconds + time.perf_counter() - begun
    return {**found, "checksum": checksum + sum(checked(row) for row in spans)}


def checked(row: torch.Tensor) -> float:
    """A number that tells rows apart."""
    return float(row.double().sum())


def _from_buffer(folder: Path) -> Callable[[int, int], torch.Tensor]:
    buffer = ExpertBuffer.open(folder / BUFFER)
    return lambda expert, row: buffer[expert, row]


def _from_replay(folder: Path) -> Callable[[int, int], torch.Tensor]:
    experts = torch.load(folder / REPLAY / "replay_buffer_0.pt")
    return lambda expert, row: torch.cat([tensor.reshape(-1) for tensor in experts[expert][row]])


def _counters(folder: Path) -> dict[str, int]:
    """What this process has read so far, and what it holds of mapped files under ``folder``, in bytes; empty where the
    system does not tell."""
    try:
        return {
            "read_call_bytes": process_counter("rchar"),
            "disk_bytes": process_counter("read_bytes"),
            "mapped_resident_bytes": mapped_bytes(str(folder.resolve())),
        }
    except (OSError, KeyError):
        return {}


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {"buffer": [], "replay": []}
    where = stream(options.seed, "benchmark spans")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        parameters = write_files(folder, options, options.size, options.experts, options.replay_experts, options.epochs)
        write_files(folder / WARM, options, 8, 1, 1, 1)
        sizes = {way: sum(file.stat().st_size for file in (folder / way).iterdir()) for way in (BUFFER, REPLAY)}
        for _ in range(options.repeats):
            epoch = int(torch.randint(options.epochs - 1, (), generator=where))
            for way, runs in taken.items():
                drop_from_cache(folder)
                span = {"way": way, "data": folder, "epoch": epoch, "loaded": options.replay_experts}
                runs.append(fresh_process(__file__, options, span, exact=True))
    if [run["checksum"] for run in taken["buffer"]] != [run["checksum"] for run in taken["replay"]]:
        raise RuntimeError("the two ways read different rows")
    figures = {
        way: {name: median(run[name] for run in runs) for name in runs[0] if name != "checksum"}
        for way, runs in taken.items()
    }
    names = ("seconds", "all_seconds", "touched_bytes", "disk_bytes", "peak_resident_bytes")
    told = [name for name in names if all(figures[way].get(name, 0) > 0 for way in figures)]
    ratios = {f"replay / buffer {name}": figures["replay"][name] / figures["buffer"][name] for name in told}
    rows = 2 * 4 * parameters
    if "peak_resident_bytes" in told:
        ratios["buffer peak_resident_bytes / two rows"] = figures["buffer"]["peak_resident_bytes"] / rows
    return {"file_bytes": sizes, "two_rows_bytes": rows, **figures, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("Reading one span of an expert: a buffer's two rows against a whole replay file.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--experts", type=int, default=100, help="experts in the buffer")
    made.add_argument("--replay-experts", type=int, default=10, help="experts in the replay file; at most --experts")
    made.add_argument("--epochs", type=int, default=50)
    made.add_argument("--folder", type=Path, help="where the files are written; the system's temporary folder if unset")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    if options.child is not None:
        child = json.loads(options.child)
        torch.set_num_threads(child["threads"])
        print(json.dumps(read_spans(child["way"], Path(child["data"]), child["loaded"], child["epoch"])))
        return
    report("store", options, device, **benchmark(options))


if __name__ == "__main__":
    main()
