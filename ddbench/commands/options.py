"""The options that commands share, with one meaning and one help text each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddbench.commands.completion import recipes_that_begin_with
from ddbench.commands.compute_options import CompileChoice, ExecutorChoice, MemoryChoice, PrecisionChoice
from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.runtime.home import home_folder as home_folder

if TYPE_CHECKING:
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.executor_choice import ExecutorFactory

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="The name of a recipe that comes with ddbench (ddbench recipes), or a YAML file.",
        autocompletion=recipes_that_begin_with,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--override",
        metavar="KEY=VALUE",
        help="Set a key of the recipe, such as -o ipc=10, -o experts.lr=0.02, or, in every method that has it, "
        "-o method.unroll=tesla. May be repeated.",
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where buffers, runs and results lie.  [default: $DDBENCH_HOME, else ./artifacts]",
        show_default=False,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where data sets lie already, or are downloaded to.  [default: HOME/downloads]",
        show_default=False,
    ),
]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="auto (CUDA where it is present, else the CPU), cpu, cuda, cuda:1, ...")
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="The seed of everything, instead of the recipe's.", show_default=False),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Distillation seeds, as 0,1,2: every set is made with each, from the same experts.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results.")]
Plugin = Annotated[
    list[Path] | None,
    typer.Option(
        help="A Python file of yours that registers a method. It is run, so give only files you trust. "
        "May be repeated.",
        metavar="FILE",
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The real data, where they lie elsewhere than the recipe says, such as folder:PATH.",
        show_default=False,
    ),
]
Validation = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=0.9,
        metavar="SHARE",
        help="Hold back a share of the training images to choose on, for a set that was made without any, such as an "
        "imported one, which may have seen them.",
        show_default=False,
    ),
]
CheckpointSeconds = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How much work a killed process may lose; 0 saves after every step, which is slow.",
    ),
]
Time = Annotated[
    bool,
    typer.Option(
        "--time",
        help="Try some steps of every kind on this device, which takes seconds to minutes, and say how long all takes.",
    ),
]


class TableFormat(StrEnum):
    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"
    latex = "latex"


Format = Annotated[
    TableFormat, typer.Option("--format", metavar="FORM", help="text, markdown, csv, json or latex, for the table.")
]


class Sheet(StrEnum):
    text = "text"
    markdown = "markdown"
    json = "json"


PlanFormat = Annotated[Sheet, typer.Option("--format", metavar="FORM", help="text, markdown or json.")]


class ReportFormat(StrEnum):
    text = "text"
    json = "json"


Report = Annotated[ReportFormat, typer.Option("--format", metavar="FORM", help="text or json.")]


def context(
    home: Path | None,
    data_root: Path | None,
    device: str,
    quiet: bool,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    compile: CompileChoice = CompileChoice.auto,
    *,
    together: bool = False,
    memory: MemoryChoice = MemoryChoice.refuse,
    executors: ExecutorFactory | None = None,
    precision: PrecisionChoice = PrecisionChoice.auto,
) -> RunContext:
    """Make the run context of a command from its options.

    Args:
        home: Folder of all that is made; None is the usual home.
        data_root: Folder that holds data sets already; None is HOME/downloads.
        device: ``cpu``, ``cuda`` or ``auto``.
        quiet: Whether no progress is shown.
        checkpoint_seconds: Least time between two checkpoints.
        compile: Whether training steps are compiled.
        together: Whether the ranks of torchrun share the work.
        memory: Policy for work that does not fit by estimate.
        executors: Executors of independent jobs; None chooses by itself.
        precision: Precision of products and convolutions.

    Returns:
        The context.
    """
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.executor_choice import ExecutorFactory

    folder, by = home_folder(home), executors or ExecutorFactory()
    return RunContext(
        folder,
        data_root,
        device,
        quiet,
        checkpoint_seconds,
        compile.value,
        together,
        memory.value,
        by,
        precision=precision.value,
    )


def executors(
    executor: ExecutorChoice,
    workers: int | None,
    address: str | None,
    gpus_per_job: float | None,
    device: str,
    plugins: list[Path] | None = None,
) -> ExecutorFactory:
    """Make the factory of the executors of independent jobs, to be closed.

    Args:
        executor: Kind of executor.
        workers: Processes; None is as many as torch would use threads.
        address: Ray cluster; None as in ``RayExecutor``.
        gpus_per_job: GPUs of a job on Ray; None is one where the device is a GPU.
        device: As in ``choose_device``.
        plugins: Files that other processes run too.

    Returns:
        The factory; processes start when they are first needed.

    Raises:
        UserError: Options that do not go together.
    """
    from ddbench.pipeline.executor_choice import ExecutorFactory

    return ExecutorFactory(executor.value, workers, address, gpus_per_job, device, plugins or ())


def set_file(path: Path) -> Path:
    """Find a synthetic set's file, also in the folder of its run.

    Args:
        path: File or folder.

    Returns:
        The file, which need not exist.

    Raises:
        UserError: A file of another project.
    """
    from ddbench.formats.recognize import refuse_foreign

    refuse_foreign(path)
    return path / "synthetic.safetensors" if path.is_dir() else path
