"""Progress of long computations: a bar on a terminal, or silence."""

from __future__ import annotations

import sys
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
    """A tqdm bar on stderr with time left and the facts given; few plain lines where stderr is no terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int, what: str, done: int = 0) -> None:
        from tqdm.auto import tqdm  # a widget in notebooks, the plain bar elsewhere

        self.close()
        often = 0.1 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(total=total, initial=done, desc=what, file=sys.stderr, mininterval=often, dynamic_ncols=True)

    def update(self, done: int, **facts: Any) -> None:
        if self._bar is not None:
            if facts:
                self._bar.set_postfix(facts, refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


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
