"""Choice of the executor of independent jobs, by the options of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from ddbench.errors import UserError
from ddbench.pipeline.plugins import Plugin
from ddbench.runtime.executors import Executor, Local, RayExecutor, Serial
from ddbench.runtime.executors.local import sweep_job_folders
from ddbench.runtime.rank_store import launched

if TYPE_CHECKING:
    import torch

Kind = Literal["auto", "serial", "local", "ray"]

MOST_ON_A_GPU = 4
"""Processes on one GPU where nobody says how many: each has a context, the data, and compilers of its own."""

CONTEXT = 2**29
"""Bytes of a GPU that a process takes before it computes anything."""

MIN_PARALLEL_SECONDS = 60.0
"""Of training, one network after the other, above which ``auto`` starts processes, which takes seconds."""


class ExecutorFactory:
    """The executor that a command line requests, started when it is first needed.

    It belongs in a ``with`` block.

    Args:
        kind: Auto shares jobs out among processes of this machine, on a CPU, where they are worth it.
        workers: Processes, or CPUs of a Ray cluster that is started here; None is as many as torch would use threads,
            on a GPU four at most, and no more than its memory holds.
        address: As in ``RayExecutor``.
        gpus_per_job: As in ``RayExecutor``; None is a GPU for each job where ``device`` is one.
        device: As in ``choose_device``.
        plugins: Files that other processes run too.

    Raises:
        UserError: At once, for options that do not go together, and as in ``RayExecutor``.
    """

    def __init__(
        self,
        kind: Kind = "auto",
        workers: int | None = None,
        address: str | None = None,
        gpus_per_job: float | None = None,
        device: str = "auto",
        plugins: Sequence[Path] = (),
    ) -> None:
        _refuse_mixtures(kind, workers, address, gpus_per_job)
        self.kind, self.workers = kind, workers
        self._setup = tuple(Plugin(str(path), path.read_text()) for path in plugins if path.is_file())
        self._local: Local | None = None
        self._ray = self._on_ray(address, gpus_per_job, device) if kind == "ray" else None

    def on(self, device: torch.device, *, worth: bool, each: int = 0) -> Executor:
        """Choose the executor of jobs, started where it is not running.

        Args:
            device: Device that the jobs use.
            worth: Whether they are work enough for ``auto`` to share them out.
            each: Bytes of memory that a process takes for them, so that no more are started than fit, but for a
                given number; 0 is unknown.

        Returns:
            The executor; it stays open until the factory is closed or another number of processes is needed.
        """
        if self._ray is not None:
            return self._ray
        if self.kind == "serial" or (self.kind == "auto" and (not worth or device.type != "cpu")):
            return Serial()
        bounded = self.kind == "auto" or device.type != "cpu"
        count = self.workers or (self._fitting(device, each) if bounded else _cores())
        if self.kind == "auto" and count < 2:
            return Serial()
        if self._local is None or self._local.at_once != count:
            self.close()
            self._local = Local(count, setup=self._setup)
        return self._local

    @property
    def running(self) -> bool:
        """Whether processes of this machine run already, which saves starting them."""
        return self._local is not None

    def refuse(self, what: str) -> None:
        """Require that no executor of several processes was requested.

        Args:
            what: Work that has no jobs to share out, for the error.

        Raises:
            UserError: The command line requests one.
        """
        if self.kind in ("local", "ray"):
            raise UserError(f"{what} has no jobs to share out", f"given --executor {self.kind}", fix="leave it out")

    def close(self) -> None:
        for started in (self._local, self._ray):
            if started is not None:
                started.close()
        self._local = None

    def __enter__(self) -> Self:
        if self.kind in ("auto", "local"):
            sweep_job_folders()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _on_ray(self, address: str | None, gpus_per_job: float | None, device: str) -> RayExecutor:
        if gpus_per_job is None:
            from ddbench.runtime.device import choose_device

            gpus_per_job = float(choose_device(device).type == "cuda")
        return RayExecutor(address, workers=self.workers, gpus_per_job=gpus_per_job, setup=self._setup)

    @staticmethod
    def _fitting(device: torch.device, each: int) -> int:
        """As many processes as cores, and as the memory holds; on a GPU one at least."""
        from ddbench.runtime.available_memory import free_bytes

        room = free_bytes(device) if each else None
        if device.type == "cpu":
            return _cores() if room is None else min(_cores(), room // each)
        most = min(MOST_ON_A_GPU, _cores())
        return most if room is None else max(1, min(most, room // (each + CONTEXT)))


def _cores() -> int:
    import torch

    return torch.get_num_threads()


def _refuse_mixtures(kind: Kind, workers: int | None, address: str | None, gpus_per_job: float | None) -> None:
    values = {"--workers": workers, "--address": address, "--gpus-per-job": gpus_per_job}
    fit = {
        "--workers": kind != "serial" and not (kind == "ray" and address),
        "--address": kind == "ray",
        "--gpus-per-job": kind == "ray",
    }
    for name, value in values.items():
        if value is not None and not fit[name]:
            what = f"--executor {kind}" + (f" --address {address}" if name == "--workers" and address else "")
            raise UserError(
                f"{name} does not go with {what}",
                f"given {name} {value}",
                fix=f"leave {name} out" if name == "--workers" else "add --executor ray",
            )
    if kind in ("local", "ray") and launched()[1] > 1:
        raise UserError(
            f"--executor {kind} does not go with torchrun, whose ranks share the experts out themselves",
            fix="leave --executor out, or start ddbench without torchrun",
        )
