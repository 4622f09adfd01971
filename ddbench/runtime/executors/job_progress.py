"""One progress bar for many jobs, whoever does them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.runtime.executors.executor import ReportProgress
from ddbench.runtime.progress import Progress


class SharedProgress:
    """Adds up the progress of jobs, which each count in units of their own. To be closed.

    Args:
        progress: Meter that shows the sum.
        count: Number of jobs.
        title: Title of the bar.
        sizes: Of the jobs, in the units of the bar; None where the first report says it for all.
    """

    def __init__(self, progress: Progress, count: int, title: str, sizes: Sequence[int] | None = None) -> None:
        self._progress, self._count, self._title = progress, count, title
        self._sizes: Sequence[int] = []
        self._done: dict[int, int] = {}
        if sizes is not None:
            self._begin(sizes)

    def on_progress(self, position: int, done: int, of: int, **facts: Any) -> None:
        """Show the progress of one job. It fits ``Executor.map``.

        Args:
            position: Position of the job among the items.
            done: Units that are done.
            of: Units in all; 0 counts as done.
            **facts: Further facts to show.
        """
        if not self._sizes:
            self._begin([max(of, 1)] * self._count)
        self._done[position] = round(self._sizes[position] * done / of) if of else self._sizes[position]
        self._progress.update(sum(self._done.values()), **facts)

    def finished(self, position: int, **facts: Any) -> None:
        """Count a job as done, whatever it reported before.

        Args:
            position: Position of the job among the items.
            **facts: Further facts to show.
        """
        if not self._sizes:
            self._begin([1] * self._count)
        if facts or self._done.get(position) != self._sizes[position]:
            self._done[position] = self._sizes[position]
            self._progress.update(sum(self._done.values()), **facts)

    def close(self) -> None:
        self._progress.close()

    def _begin(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._progress.start(sum(sizes), self._title)


class JobProgress:
    """A progress meter inside a job, which reports what it is shown.

    Args:
        report: Called with the progress of the job.
    """

    def __init__(self, report: ReportProgress) -> None:
        self._tell, self._of = report, 1

    def start(self, total: int, what: str, done: int = 0) -> None:
        del what, done
        self._of = total

    def update(self, done: int, **facts: Any) -> None:
        self._tell(done, self._of, **facts)

    def close(self) -> None: ...
