"""Progress of long computations: a bar on a terminal, lines in a log, or silence."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol


class Progress(Protocol):
    """Reporter of a long computation."""

    def start(self, total: int, what: str, done: int = 0) -> None:
        """Begin a computation.

        Args:
            total: Steps in all.
            what: What is computed, in words.
            done: Steps done already, of a computation that is resumed.
        """
        ...

    def update(self, done: int, **facts: Any) -> None:
        """Report progress.

        Args:
            done: Steps done.
            facts: Numbers to be shown, such as the loss.
        """
        ...

    def close(self) -> None:
        """End the report, whether the computation is finished or interrupted."""
        ...


class Silent:
    """Says nothing: the default in Python, and ``--quiet``."""

    def start(self, total: int, what: str, done: int = 0) -> None: ...
    def update(self, done: int, **facts: Any) -> None: ...
    def close(self) -> None: ...


class Bar:
    """A tqdm bar with time left and the facts given, on a terminal and in notebooks; whole lines in a log."""

    def __init__(self) -> None:
        self._shown: Any = None

    def start(self, total: int, what: str, done: int = 0) -> None:
        self.close()
        if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
            self._shown = _LogProgress(total, what, done)
            return
        from tqdm.auto import tqdm  # a widget in notebooks, the plain bar elsewhere

        self._shown = tqdm(total=total, initial=done, desc=what, file=sys.stderr, mininterval=0.1, dynamic_ncols=True)

    def update(self, done: int, **facts: Any) -> None:
        if self._shown is not None:
            if facts:
                self._shown.set_postfix(facts, refresh=False)
            self._shown.update(done - self._shown.n)

    def close(self) -> None:
        if self._shown is not None:
            self._shown.close()
            self._shown = None


LINE_SECONDS = 15.0
"""Seconds between two lines in a log."""


class _LogProgress:
    """What tqdm shows, as a line of a log now and then, and one at the end."""

    def __init__(self, total: int, what: str, done: int) -> None:
        self.n, self._total, self._what, self._first = done, total, what, done
        self._facts: dict[str, Any] = {}
        self._began = self._written = time.monotonic()
        self._unwritten = True

    def set_postfix(self, facts: dict[str, Any], refresh: bool) -> None:
        del refresh
        self._facts = facts

    def update(self, more: int) -> None:
        self.n += more
        self._unwritten = True
        if time.monotonic() - self._written >= LINE_SECONDS:
            self._write()

    def close(self) -> None:
        if self._unwritten:
            self._write()

    def _write(self) -> None:
        from tqdm import tqdm

        self._written, self._unwritten = time.monotonic(), False
        spent, done = self._written - self._began, self.n - self._first
        share = f"{100 * self.n // self._total}%" if self._total else "done"
        times = tqdm.format_interval(spent)
        if done > 0 and self.n < self._total:
            times += f", {tqdm.format_interval(spent * (self._total - self.n) / done)} left"
        shown = {name: tqdm.format_num(fact) if isinstance(fact, float) else fact for name, fact in self._facts.items()}
        facts = "".join(f", {name}={fact}" for name, fact in shown.items())
        sys.stderr.write(f"{self._what}: {share} ({self.n} of {self._total}), {times}{facts}\n")
        sys.stderr.flush()


def choose_progress(progress: bool | Progress | None) -> Progress:
    """Make the reporter that a caller of the Python API asks for.

    Args:
        progress: True for a bar, False for silence, a reporter of the caller's own; None for a bar where somebody can
            see it: on a terminal, or in a notebook.

    Returns:
        The reporter.
    """
    if progress is None:
        visible = "ipykernel" in sys.modules or sys.stderr.isatty()
        return Bar() if visible else Silent()
    if isinstance(progress, bool):
        return Bar() if progress else Silent()
    return progress


def is_silent(progress: Progress) -> bool:
    """Check whether a reporter shows nothing.

    Args:
        progress: A reporter.

    Returns:
        True for :class:`Silent`, and False for what derives from it.
    """
    return type(progress) is Silent
