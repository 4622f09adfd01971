"""Checkpoint of unfinished work: one file, whole or absent, from which the work goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError, error_summary
from ddbench.runtime.device import CHECKPOINT_SECONDS

SHARE = 10
"""A state that takes a second to write is written at most every ten."""

State = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Tensors by name, and facts as JSON: all that the rest of the work depends on."""


class Checkpoint:
    """The state of unfinished work on disk, written often enough that a killed process loses little.

    What a state holds, and when it is consistent, is the owner's business.

    Args:
        path: File of the state.
        kind: Kind of the artifact.
        identity: What the work follows from, as JSON; written with every state, and compared when one is read.
        pause: Seconds between two writings at least; 0 writes whenever there is a new state.
    """

    def __init__(self, path: Path, kind: str, identity: Mapping[str, Any], pause: float = CHECKPOINT_SECONDS) -> None:
        self.path, self.kind, self.identity = path, kind, dict(identity)
        self.earlier = 0.0
        """Seconds that earlier processes spent on the state that this one goes on from."""
        self.together = 1
        """Works that share the time that passes."""
        self._pause = self._wait = pause
        self._begin = self._last_write = time.monotonic()
        self._offered: State | None = None

    @property
    def seconds(self) -> float:
        """Seconds that the work took so far, with those of earlier processes."""
        return self.earlier + (time.monotonic() - self._begin) / self.together

    def read(self, *, required: bool = False, require_same: bool = False) -> State | None:
        """Read the state.

        Args:
            required: Whether an absent or damaged file is an error; else it counts for nothing.
            require_same: Whether a file of other work is an error; else it counts for nothing.

        Returns:
            Tensors and facts; None where there is no state to go on from.

        Raises:
            UserError: As said, and for a file of a newer ddbench.
        """
        if not required and not self.path.is_file():
            return None
        try:
            tensors, facts = artifact.load(self.path, self.kind)
        except artifact.WrittenByNewerError:
            raise
        except UserError:
            if required:
                raise
            return None
        for name, mine in self.identity.items():
            if (difference := first_difference(facts.get(name), mine, name)) is not None:
                if not require_same:
                    return None
                key, recorded, requested = difference
                raise UserError(
                    f"{self.path} was made with another {key}",
                    f"there {recorded}",
                    f"asked {requested}",
                    fix=f"go on with the {key} it was begun with, or delete the file to begin anew",
                )
        return tensors, facts

    @contextmanager
    def restoring(self, expected: str) -> Iterator[None]:
        """Report what fails while a state is put back as damage of its file.

        Args:
            expected: Work that the state must be of, in words.

        Yields:
            Nothing; the state is put back inside the block.

        Raises:
            UserError: The state is of something else.
        """
        try:
            yield
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise artifact.damaged(self.path, f"it is not of {expected}: {error_summary(error)}") from None

    def due(self) -> bool:
        """Tell whether the last writing is long enough ago.

        Returns:
            True once ``pause`` has passed, or ten times as long as the last writing took where that is longer.
        """
        return time.monotonic() - self._last_write >= self._wait

    def write(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write a state in the place of the last.

        Args:
            tensors: Tensors by name.
            facts: Facts as JSON, without the identity.

        Raises:
            UserError: The disk is full.
        """
        began = time.monotonic()
        artifact.save(self.path, self.kind, tensors, {**facts, **self.identity})
        self._offered, self._last_write = None, time.monotonic()
        self._wait = max(self._pause, SHARE * (self._last_write - began)) if self._pause else 0.0

    def offer(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Remember a state that does not change any more, and write it if it is due.

        Args:
            tensors: Tensors by name, not copied.
            facts: Facts as JSON, without the identity.
        """
        self._offered = tensors, facts
        if self.due():
            self.flush()

    def flush(self) -> None:
        """Write the state that was offered last, if it is not on disk."""
        if self._offered is not None:
            self.write(*self._offered)

    def discard(self) -> None:
        """Forget it all: the work is finished, or can not be."""
        self._offered = None
        self.path.unlink(missing_ok=True)


def first_difference(recorded: Any, requested: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """Find the first key, in alphabetical order, in which two JSON documents differ.

    Args:
        recorded: Document in a file.
        requested: Document of what is asked for now.
        name: Name of values that are no objects.

    Returns:
        The key, its recorded and its requested value; None where there is no difference.
    """
    if not (isinstance(recorded, Mapping) and isinstance(requested, Mapping)):
        return None if recorded == requested else (name, recorded, requested)
    for key in sorted({*recorded, *requested}):
        if recorded.get(key) != requested.get(key):
            return key, recorded.get(key), requested.get(key)
    return None
