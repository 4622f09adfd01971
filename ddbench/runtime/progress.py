"""Progress of long computations: a bar on a terminal, or silence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    pass


class Progress(Protocol):
    """What a long computation tells while it runs."""

    def start(self, total: int, what: str, done: int = 0) -> None: ...
    def update(self, done: int, **facts: Any) -> None: ...
    def close(self) -> None: ...


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
        from tqdm import tqdm

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
