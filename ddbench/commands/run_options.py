"""Options that many commands share: written once, and added to the signature of each command that takes them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from ddbench.commands import compute_options, options
from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.runtime.home import home_folder

if TYPE_CHECKING:
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.executor_choice import ExecutorFactory


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a command on a run. The types carry the help texts; the order is that of ``--help``."""

    home: options.Home = None
    data_root: options.DataRoot = None
    device: options.Device = "auto"
    seed: options.Seed = None
    seeds: options.Seeds = None
    plugin: options.Plugin = None
    checkpoint_seconds: options.CheckpointSeconds = CHECKPOINT_SECONDS
    compile: compute_options.Compile = compute_options.CompileChoice.auto
    precision: compute_options.Precision = compute_options.PrecisionChoice.auto
    memory: compute_options.Memory = compute_options.MemoryChoice.refuse
    executor: compute_options.Executor = compute_options.ExecutorChoice.auto
    workers: compute_options.Workers = None
    address: compute_options.Address = None
    gpus_per_job: compute_options.GpusPerJob = None
    quiet: options.Quiet = False

    @property
    def home_folder(self) -> Path:
        """The home, with its default."""
        return home_folder(self.home)

    def executors(self) -> ExecutorFactory:
        """Make the executors of independent jobs.

        Returns:
            A factory to be used in a ``with`` block.

        Raises:
            UserError: Options that exclude each other.
        """
        return options.executors(self.executor, self.workers, self.address, self.gpus_per_job, self.device, self.plugin)

    def context(self, executors: ExecutorFactory | None = None, *, together: bool = False) -> RunContext:
        """Make the settings of a run.

        Args:
            executors: Executors of independent jobs; None runs them in this process or in processes of this machine.
            together: Whether the ranks of torchrun share the run.

        Returns:
            The settings that every stage reads.
        """
        return options.context(
            self.home,
            self.data_root,
            self.device,
            self.quiet,
            self.checkpoint_seconds,
            self.compile,
            together=together,
            memory=self.memory,
            executors=executors,
            precision=self.precision,
        )


DEFAULTS = RunOptions()

CONTEXT = ("home", "data_root", "device", "precision", "quiet")
"""Options of every command that reads data and computes."""

EXECUTION = ("executor", "workers", "address", "gpus_per_job")
"""Options of commands with independent jobs."""

RECIPE = (*CONTEXT, "seed", "plugin", "checkpoint_seconds", "compile", "memory", *EXECUTION)
"""Options of commands that run a recipe."""


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add shared options to a command: its parameter ``shared`` becomes one parameter for each of them.

    Args:
        names: Fields of :class:`RunOptions`. The others keep their defaults, and are no options of the command.

    Returns:
        A decorator for a function with a parameter ``shared: RunOptions``, which makes a command for typer.
    """
    hints = get_type_hints(RunOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(RunOptions)
        if field.name in names
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own_hints = get_type_hints(command, include_extras=True)
        parameters: list[inspect.Parameter] = []
        for name, parameter in inspect.signature(command).parameters.items():
            own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[name])
            parameters += shared if name == "shared" else [own]

        @functools.wraps(command)
        def run_command(**values: Any) -> None:
            chosen = {parameter.name: values.pop(parameter.name) for parameter in shared}
            command(**values, shared=RunOptions(**chosen))

        run_command.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
        run_command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del run_command.__wrapped__
        return run_command

    return decorate
