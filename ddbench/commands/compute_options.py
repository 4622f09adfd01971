"""The options that say how a command computes: compiled, in what precision, by whom, and in how much memory."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class CompileChoice(StrEnum):
    auto = "auto"
    on = "on"
    off = "off"


Compile = Annotated[
    CompileChoice,
    typer.Option(
        help="Whether training steps are compiled before they run: auto does where the run is long enough to gain, and "
        "this machine has a C++ compiler. Results are the same up to rounding.",
    ),
]


class PrecisionChoice(StrEnum):
    auto = "auto"
    float32 = "float32"
    tf32 = "tf32"


Precision = Annotated[
    PrecisionChoice,
    typer.Option(
        help="Products and convolutions on a GPU: auto is what PyTorch does, TF32 in convolutions; float32 has all "
        "bits; tf32 rounds products too. A CPU has float32 alone.",
    ),
]


class MemoryChoice(StrEnum):
    refuse = "refuse"
    warn = "warn"


Memory = Annotated[
    MemoryChoice,
    typer.Option(
        help="What to do where the estimate of peak memory is above what is free: refuse to begin, or warn and begin.",
    ),
]


class ExecutorChoice(StrEnum):
    auto = "auto"
    serial = "serial"
    local = "local"
    ray = "ray"


Executor = Annotated[
    ExecutorChoice,
    typer.Option(
        help="Who trains experts, evaluation networks and the like, which know nothing of each other: this process "
        "(serial), processes of this machine (local), a Ray cluster (ray), or, where it pays on a CPU, processes of "
        "this machine (auto). Results are the same.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many processes, or CPUs of a Ray cluster that is started here.  [default: OMP_NUM_THREADS, else the "
        "cores]",
        show_default=False,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The Ray cluster, or auto for the one this machine belongs to.  [default: $RAY_ADDRESS, else one that is "
        "started here]",
        show_default=False,
    ),
]
GpusPerJob = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SHARE",
        help="GPUs for each job on Ray: 0.25 lets four jobs share one.  [default: 1 with --device cuda, else 0]",
        show_default=False,
    ),
]
