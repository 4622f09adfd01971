"""Recipes from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ddbench.errors import UserError
from ddbench.estimates.memory_check import Policy
from ddbench.evaluate.leaderboard.row import Row
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.executor_choice import ExecutorFactory, Kind
from ddbench.pipeline.open_recipe import open_recipe
from ddbench.pipeline.pictures import draw_if_changed
from ddbench.runtime.compile import Choice
from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.runtime.home import home_folder
from ddbench.runtime.precision import Precision
from ddbench.runtime.progress import Progress, choose_progress, is_silent
from ddbench.runtime.rank_store import launched


def run(
    recipe: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    device: str = "auto",
    seed: int | None = None,
    seeds: Sequence[int] | None = None,
    plugins: Sequence[str | Path] = (),
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    compile: Choice = "auto",
    precision: Precision = "auto",
    memory: Policy = "refuse",
    executor: Kind = "auto",
    workers: int | None = None,
    progress: bool | Progress | None = None,
) -> list[Row]:
    """Run a recipe: train experts, distill, select, evaluate. Whatever the home holds already is not done again.

    The folders, files and numbers are those of ``ddbench run``.

    Args:
        recipe: A name of ``ddbench.list_recipes()``, or a YAML file.
        overrides: Values by dotted key of the recipe, as ``-o`` takes them on the command line:
            ``{"ipc": 10, "experts.lr": 0.02, "method.unroll": "tesla"}``. Values are numbers, text, lists, dictionaries
            or None.
        home: Folder of buffers, runs and results; None takes $DDBENCH_HOME, else ``./artifacts``.
        data_root: Folder that holds the raw data; None looks in, and downloads to, ``home/downloads``.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        seed: Seed of everything, in place of the recipe's.
        seeds: Distillation seeds: every set is made with each, from the same experts.
        plugins: Python files that register methods; they are run.
        checkpoint_seconds: Seconds of work that a killed process may lose.
        compile: Whether training steps are compiled; ``auto`` compiles where the run is long enough to gain.
        precision: Of products and convolutions on a GPU: ``auto`` (what PyTorch does), ``float32`` or ``tf32``.
        memory: What to do where the estimated peak memory exceeds what is free: ``refuse``, or ``warn`` and begin.
        executor: Where experts and evaluation networks are trained: ``serial`` (this process), ``local`` (processes of
            this machine), ``ray``, or ``auto``.
        workers: Number of processes; None takes the number of cores.
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.

    Returns:
        The rows, one a synthetic set and evaluation network, in the order of the recipe; ``ddbench.leaderboard`` makes
        a table of them.

    Raises:
        UserError: The recipe, an override or an option is wrong, data is missing, or the run does not fit into memory.
    """
    if launched()[1] > 1:
        raise UserError("ddbench.run() is one process", fix="start several with  torchrun -m ddbench run RECIPE")
    meter = choose_progress(progress)
    files = [Path(plugin) for plugin in plugins]
    with ExecutorFactory(executor, workers, device=device, plugins=files) as executors:
        context = RunContext(
            home_folder(home),
            None if data_root is None else Path(data_root),
            device,
            quiet=is_silent(meter),
            checkpoint_seconds=checkpoint_seconds,
            compile=compile,
            memory=memory,
            executors=executors,
            reporter=meter,
            precision=precision,
        )
        listed = None if seeds is None else ",".join(str(number) for number in seeds)
        pipeline = open_recipe(str(recipe), as_options(overrides or {}), seed, files, context, listed)
        pipeline.domain.check_memory(pipeline)
        rows = [row for row, _ in pipeline.rows()]
        for job in pipeline.jobs:
            for path in pipeline.set_paths(job):
                draw_if_changed(path, context.home)
        return rows


def as_options(overrides: Mapping[str, Any]) -> list[str]:
    """Write overrides in the form of the command line's ``-o``.

    Args:
        overrides: Values by dotted key.

    Returns:
        One ``KEY=VALUE`` each, the value as YAML on one line.

    Raises:
        UserError: A value is no plain data.
    """
    options = []
    for key, value in overrides.items():
        try:
            text = yaml.safe_dump(_plain(value), default_flow_style=True, width=float("inf"))
        except yaml.YAMLError:
            raise UserError(
                f"the override {key!r} is no plain value",
                f"given {value!r:.200}",
                fix="give numbers, text, lists, dictionaries or None",
            ) from None
        value_on_one_line = text.removesuffix("...\n").rstrip()
        options.append(f"{key}={value_on_one_line}")
    return options


def _plain(value: Any) -> Any:
    """Tuples as lists and paths as text, which YAML has."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value
