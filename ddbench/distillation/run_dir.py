"""One distillation on disk: where it stands, what it logged, and the candidates it left."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ddbench import artifact
from ddbench.errors import UserError, error_summary
from ddbench.files.strict_json import parse_json


@dataclass
class Clock:
    """Progress of a run."""

    step: int = 0
    """Outer steps done."""
    seconds: float = 0.0
    """Seconds spent on them, over all processes that took part one after the other."""
    peak_bytes: int = 0
    """Most memory in use on the device, in bytes."""


def candidates_by_step(folder: Path) -> dict[int, Path]:
    """List the candidates that a distillation left, ``000100.safetensors`` and so on.

    Args:
        folder: Folder of candidates.

    Returns:
        Files by outer step, ascending.
    """
    files = {int(path.stem): path for path in folder.glob("*.safetensors") if path.stem.isdecimal()}
    return dict(sorted(files.items()))


class Run:
    """One distillation on disk: the set of step 0, the state, ``events.jsonl`` and ``candidates/``, all in ``folder``.

    ``candidates-plain/`` is there where the candidates are moving averages.

    Args:
        folder: Folder of the run.
        writes: Whether this process writes; False for ranks that only read.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        self._reported = False
        self.saved: int | None = None
        """The step of the state on disk, once this process has written or read one."""
        self.start, self.state = folder / "start.safetensors", folder / "state.safetensors"
        self.events = folder / "events.jsonl"
        self.candidates, self.plain = folder / "candidates", folder / "candidates-plain"

    def candidate(self, step: int) -> Path:
        """Name the file of the candidate after a step.

        Args:
            step: Outer steps done.

        Returns:
            The path, whether it exists or not.
        """
        return self.candidates / f"{step:06d}.safetensors"

    def plain_candidate(self, step: int) -> Path:
        """Name the file of a step's images themselves, for runs whose candidates are moving averages.

        Args:
            step: Outer steps done.

        Returns:
            The path, whether it exists or not.
        """
        return self.plain / f"{step:06d}.safetensors"

    def candidate_files(self) -> list[Path]:
        """List the candidates there are.

        Returns:
            Paths, in the order of their outer steps.
        """
        return list(candidates_by_step(self.candidates).values())

    def log(self, event: dict[str, Any]) -> None:
        """Append one line of JSON to the log.

        A log that can not be written is no reason to end a run: stderr has one note.

        Args:
            event: Values by name; a number that is not finite, which JSON does not know, is written as null.
        """
        if not self.writes:
            return
        finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in event.items()}
        with self._no_reason_to_stop(), self.events.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    def forget_events_after(self, step: int) -> None:
        """Drop what a killed process logged after its last checkpoint, for it will happen again, and damaged lines.

        Args:
            step: Outer steps of the checkpoint.
        """
        if not (self.writes and self.events.exists()):
            return
        with (
            self._no_reason_to_stop(),
            self.events.open("rb") as logged,
            artifact.replacing(self.events) as part,
            part.open("wb") as shortened,
        ):
            shortened.writelines(record for record in _whole_records(logged) if _step_of(record) <= step)

    @contextmanager
    def _no_reason_to_stop(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UserError) as error:
            if not self._reported:
                why = error_summary(error)
                sys.stderr.write(f"note: the log {self.events} can not be written, and the run goes on: {why}\n")
            self._reported = True


_LONGEST_RECORD = 2**16
"""Bytes of a line of the log."""


def _whole_records(file: BinaryIO) -> Iterator[bytes]:
    while record := file.readline(_LONGEST_RECORD):
        if record.endswith(b"\n"):
            yield record


def _step_of(record: bytes) -> float:
    """The outer step that a line of the log is of; infinity for a line that is damaged."""
    try:
        step = parse_json(record)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
    return step if type(step) is int else math.inf
