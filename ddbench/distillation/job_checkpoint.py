"""Checkpoints of one job of a distillation, so that a killed process loses little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.runtime.progress import Progress, Silent

UNFINISHED, FINISHED = "job in progress", "finished job"


class JobCheckpoint:
    """Files of one job: its state while it runs, and what it made.

    Args:
        path: File of the finished job.
        identity: What the job follows from, JSON; files of another are not used.
        pause: Seconds between writings; 0 writes at every checkpoint.
        progress: Meter that is shown steps; closed by whoever opened it. None for none.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, Any],
        *,
        pause: float = CHECKPOINT_SECONDS,
        progress: Progress | None = None,
    ) -> None:
        self.path, self.identity = path, dict(identity)
        self._state = path.with_name(f".{path.stem}.unfinished")
        self._pause, self._progress = pause, progress or Silent()
        self._begin = self._last_write = time.monotonic()
        self._earlier, self._shown = 0.0, False

    @property
    def seconds(self) -> float:
        """What the job took so far, over all sittings whose work it goes on from."""
        return self._earlier + time.monotonic() - self._begin

    def finished(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read what the job made.

        Returns:
            Tensors and facts by name; None where the job is still to be done.

        Raises:
            UserError: The file is damaged, or of another job.
        """
        if not self.path.exists():
            return None
        tensors, facts = artifact.load(self.path, FINISHED)
        if facts.get("identity") != self.identity:
            raise UserError(
                f"{self.path} is of another distillation",
                fix="delete the folder it is in to distill anew, or choose another",
            )
        return tensors, facts

    def resume(self) -> tuple[int, dict[str, Tensor]] | None:
        """Read the last checkpoint. A damaged file and one of another job count for nothing.

        Returns:
            Steps done, and the tensors of the checkpoint by name; None where the job begins.

        Raises:
            UserError: The file is of a newer ddbench.
        """
        if not self._state.is_file():
            return None
        try:
            tensors, facts = artifact.load(self._state, UNFINISHED)
        except artifact.WrittenByNewerError:
            raise
        except UserError:
            return None
        done, seconds = facts.get("done"), facts.get("seconds")
        if facts.get("identity") != self.identity or type(done) is not int or not isinstance(seconds, int | float):
            return None
        self._earlier = seconds
        return done, tensors

    def checkpoint(self, done: int, of: int, state: Callable[[], dict[str, Tensor]], **facts: float) -> None:
        """Show progress, and write the state now and then; to be called after every step.

        Args:
            done: Steps done.
            of: Steps in all.
            state: Makes the tensors from which the job goes on; called only when they are written.
            facts: Numbers to be shown, such as the loss.
        """
        if not self._shown:
            self._progress.start(of, self.path.stem, done - 1)
            self._shown = True
        self._progress.update(done, **facts)
        if done < of and time.monotonic() - self._last_write >= self._pause:
            about = {"identity": self.identity, "done": done, "seconds": round(self.seconds, 3)}
            artifact.save(self._state, UNFINISHED, state(), about)
            self._last_write = time.monotonic()

    def finish(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write what the job made, and delete its state.

        Args:
            tensors: What it made, by name.
            facts: What else to record, JSON.
        """
        about = {**facts, "identity": self.identity, "seconds": round(self.seconds, 3)}
        artifact.save(self.path, FINISHED, tensors, about)
        self._state.unlink(missing_ok=True)
