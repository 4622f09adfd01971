"""The contract of executors of independent jobs, and the plainest: one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class ReportProgress(Protocol):
    """Called by a job now and then: how much of it is done, and of how much, with facts worth showing."""

    def __call__(self, done: int, of: int, **facts: Any) -> None: ...


Work = Callable[[Item, ReportProgress], Result]
"""Does one job: of what tells it from the others, and with somebody to tell. Everything all jobs share is inside. Where
jobs are done by other processes it is pickled, and so are items and results."""


class ProgressCallback(Protocol):
    """Told what a job tells, with the job's position among the items."""

    def __call__(self, position: int, done: int, of: int, **facts: Any) -> None: ...


def ignore_progress(position: int, done: int, of: int, **facts: Any) -> None:
    """Ignore the progress of jobs.

    Args:
        position: Position of the job among the items.
        done: Units that are done.
        of: Units in all.
        **facts: Further facts to show.
    """


class Executor(Protocol):
    """Carries out jobs that know nothing of each other, and belongs in a ``with`` block.

    A job gives the same bits wherever and in whatever order it is done: jobs use one processor thread, and draw from
    streams of their own. It may be begun several times, so it looks first whether its file is finished.
    """

    @property
    def at_once(self) -> int:
        """Number of jobs that are done at the same time, at most."""
        ...

    @property
    def elsewhere(self) -> bool:
        """True where jobs may be done by other machines than this."""
        ...

    def device(self, here: torch.device) -> torch.device:
        """Choose the device on which jobs compute.

        Args:
            here: Device on which this process would compute.

        Returns:
            The device, on the machine that does the job.
        """
        ...

    def map(
        self, work: Work[Item, Result], items: Sequence[Item], on_progress: ProgressCallback = ignore_progress
    ) -> Iterator[tuple[int, Result]]:
        """Carry out a job for each item.

        Args:
            work: Function that does one job; pickled where other processes do it.
            items: Items that tell jobs apart; pickled likewise, as are results.
            on_progress: Called in this thread with the progress that jobs report.

        Yields:
            Position and result of each item, in the order in which jobs end.

        Raises:
            UserError: A process was killed and its jobs can not be done again. An error of a job is raised as it
                is; the jobs that run are then ended, and lose at most what they had not written.
        """
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...


class Serial:
    """One job after the other, in this process."""

    at_once = 1
    elsewhere = False

    def device(self, here: torch.device) -> torch.device:
        return here

    def map(
        self, work: Work[Item, Result], items: Sequence[Item], on_progress: ProgressCallback = ignore_progress
    ) -> Iterator[tuple[int, Result]]:
        for position, item in enumerate(items):
            yield position, work(item, partial(on_progress, position))

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...
