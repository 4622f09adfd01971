"""Checkpoint of one job of a distillation, and the file of what the job made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.runtime.progress import Progress, Silent
from ddbench.training.checkpoint import Checkpoint, State

UNFINISHED, FINISHED = "job in progress", "finished job"


class JobCheckpoint(Checkpoint):
    """Files of one job: its state while it runs, and what it made.

    Args:
        path: File of the finished job.
        identity: What the job follows from, as JSON; files of another are not used.
        pause: Seconds between two writings at least; 0 writes after every step.
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
        whole = {"identity": dict(identity)}
        super().__init__(path.with_name(f".{path.stem}.unfinished"), UNFINISHED, whole, pause)
        self._made = Checkpoint(path, FINISHED, whole)
        self._progress, self._shown = progress or Silent(), False

    def finished(self) -> State | None:
        """Read what the job made, and its facts.

        Returns:
            Tensors and facts; None where the job is still to be done.

        Raises:
            UserError: The file is damaged, or of another job.
        """
        return self._made.read(required=True, require_same=True) if self._made.path.exists() else None

    def resume(self) -> tuple[int, Mapping[str, Tensor]] | None:
        """Read the last state. A damaged file and one of another job count for nothing.

        Returns:
            Steps done, and the tensors of the state by name; None where the job begins.

        Raises:
            UserError: The file is of a newer ddbench.
        """
        state = self.read()
        if state is None:
            return None
        tensors, facts = state
        self.earlier = facts["seconds"]
        return facts["done"], tensors

    def checkpoint(self, done: int, of: int, state: Callable[[], dict[str, Tensor]], **facts: float) -> None:
        """Show progress, and write the state if it is due; to be called after every step.

        Args:
            done: Steps done.
            of: Steps in all.
            state: Makes the tensors from which the job goes on; called only when they are written.
            facts: Numbers to be shown, such as the loss.
        """
        if not self._shown:
            self._progress.start(of, self._made.path.stem, done - 1)
            self._shown = True
        self._progress.update(done, **facts)
        if done < of and self.due():
            self.write(state(), {"done": done, "seconds": round(self.seconds, 3)})

    def finish(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write what the job made, and delete its state.

        Args:
            tensors: What it made, by name.
            facts: What else to record, JSON.
        """
        self._made.write(tensors, {**facts, "seconds": round(self.seconds, 3)})
        self.discard()
