"""Mirage on whole graph sets: seconds and memory from the graphs to the file, against trees that are written out.

The plain way does what the released code does in principle, with Python's own means: the computation tree of every node
is written out, node by node, as nested sorted tuples; equal tuples are equal trees. Mining is not in it.
Seconds are of one process after imports, from the loaded graphs to the saved set, or to the trees. Peak memory is what
one distillation adds, each set in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from measure import PeakMemory, arguments, fresh_process, interleaved, report, start

from ddbench.distillation.task import OuterStep
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.load import load_graphs
from ddbench.graphs.method import GraphTask
from ddbench.graphs.refine import refine
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.mirage.method import Mirage

SETS = ("tu:NCI1", "tu:MUTAG", "tu:IMDB-BINARY", "tu:IMDB-MULTI")
PUBLISHED = {"tu:NCI1": ((440, 570), 4), "tu:IMDB-BINARY": ((13, 14), 8)}
"""Thresholds of the released scripts, and the ipc that they come to."""
RELEASED = {
    "from": "the released code on another machine of the same kind (2 cores of an AMD EPYC), not in this run",
    "tu:NCI1": {"seconds": 94.1, "peak_bytes_of_the_process": 1372 * 2**20},
    "tu:IMDB-BINARY": {"cpu_seconds_of_trees": 83.9, "peak_bytes_of_the_process": 3036 * 2**20},
}


def jobs(name: str, ipc: int) -> dict[str, tuple[Mirage, int]]:
    """What is distilled from a set: the most frequent sets of each class, and where known those of given thresholds."""
    made = {f"ipc {ipc}": (Mirage(), ipc)}
    if name in PUBLISHED:
        thetas, most = PUBLISHED[name]
        made[f"thresholds {thetas}"] = (
            Mirage.model_validate({"threshold": {"kind": "absolute", "theta": thetas}}),
            most,
        )
    return made


def load(name: str, options: Any) -> GraphSet:
    return load_graphs(name, seed=options["seed"], home=options["home"], data_root=options["data_root"], quiet=True)


def distill(real: GraphSet, method: Mirage, ipc: int, seed: int, folder: Path) -> SyntheticGraphs:
    """From graphs to a file."""
    made = method.distill(GraphTask(real=real, method="mirage"), ipc, OuterStep(0, seed))
    made.save(folder / "synthetic.safetensors")
    return made


def written_out(graphs: Graphs, hops: int) -> list[Any]:
    """The computation tree of every node as (codes, sorted branches), each branch (codes of the edge, tree)."""
    incoming: list[list[tuple[Any, int]]] = [[] for _ in range(len(graphs.node_features))]
    codes = map(tuple, graphs.edge_features.tolist())
    for source, target, code in zip(*graphs.edge_index.tolist(), codes, strict=True):
        incoming[target].append((code, source))
    labels = [tuple(row) for row in graphs.node_features.tolist()]

    def tree(node: int, left: int) -> Any:
        return labels[node], tuple(sorted((code, tree(other, left - 1)) for code, other in incoming[node] if left))

    return [tree(node, hops) for node in range(len(labels))]


def of_set(name: str, options: argparse.Namespace, device: torch.device, folder: Path) -> dict[str, Any]:
    """The figures of one set."""
    real, hops = load(name, vars(options)), Mirage().hops
    figures: dict[str, Any] = {"graphs": len(real.train), "nodes": len(real.train.node_features)}
    figures["trees"] = refine(real.train, hops).counts[-1]
    if figures["trees"] != len(set(written_out(real.train, hops))):
        raise RuntimeError(f"{name}: the two ways find different trees")
    timed: dict[str, Callable[[], object]] = {"trees written out": lambda: written_out(real.train, hops)}
    for job, (method, ipc) in jobs(name, options.ipc).items():
        begun = perf_counter()
        made = distill(real, method, ipc, options.seed, folder)
        figures[job] = {
            "first_seconds": perf_counter() - begun,
            **made.provenance["mining"],
            "charged_bytes": made.charged_bytes,
            "stored_bytes": sum(made.bytes.values()),
            **fresh_process(__file__, options, {"set": name, "job": job}, exact=True),
        }
        timed[job] = lambda method=method, ipc=ipc: distill(real, method, ipc, options.seed, folder)
    return {**figures, "seconds": interleaved(timed, options.repeats, device)}


def memory(given: dict[str, Any]) -> dict[str, int]:
    """What one distillation adds to the memory of this process at its worst."""
    real = load(given["set"], {**given, "home": Path(given["home"])})
    method, ipc = jobs(given["set"], given["ipc"])[given["job"]]
    with tempfile.TemporaryDirectory() as folder, PeakMemory(torch.device("cpu")) as peak:
        distill(real, method, ipc, given["seed"], Path(folder))
    return {"peak_bytes": peak.above}


def parser() -> argparse.ArgumentParser:
    made = arguments("Mirage from graphs to file, against computation trees that are written out.")
    made.add_argument("--datasets", nargs="+", default=list(SETS))
    made.add_argument("--ipc", type=int, default=10, help="items of a class, at most")
    made.add_argument("--data-root", type=Path, help="folder with the sets, or with their folder tu; else downloaded")
    made.add_argument("--home", type=Path, default=Path("artifacts"), help="where downloads go")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    if options.child is not None:
        print(json.dumps(memory(json.loads(options.child))))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = {name: of_set(name, options, device, Path(folder)) for name in options.datasets}
    ratios = {
        f"{name}: trees written out / {job}": of["seconds"]["trees written out"] / seconds
        for name, of in figures.items()
        for job, seconds in of["seconds"].items()
        if job != "trees written out"
    }
    del options.home
    report("mirage", options, device, sets=figures, ratios=ratios, released=RELEASED)


if __name__ == "__main__":
    main()
