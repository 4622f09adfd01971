"""The expert in training: where it goes on from, and a hidden file so that a killed process loses little."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers.buffer import KIND as FINISHED
from ddbench.expert_buffers.buffer import ROWS, expert_path
from ddbench.expert_buffers.optimizers import ExpertState
from ddbench.expert_buffers.training_state import end_state, put_back
from ddbench.expert_buffers.trajectory import Trajectory

KIND = "expert in training"
_SHARE = 10
"""A state that takes a second to write is written at most every ten."""


class ExpertCheckpoint:
    """One expert until it is long enough: its state at the end of an epoch, on disk at most every ``pause`` seconds.

    Args:
        pause: 0 writes after each epoch. The file holds what a finished expert's does, as far as it has come. together:
            how many experts share the time that passes.
    """

    def __init__(self, folder: Path, expert: int, buffer: str, pause: float) -> None:
        self.path = folder / f".expert-{expert:04d}.unfinished"
        self._finished = expert_path(folder, expert)
        self._facts = {"buffer": buffer, "expert": expert}
        self._least_pause, self._pause = pause, pause
        self.together = 1
        self._earlier = 0.0
        self._begin = self._last_write = time.monotonic()
        self._unwritten: tuple[dict[str, Tensor], dict[str, Any]] | None = None

    @property
    def seconds(self) -> float:
        """What training it took so far: this sitting, and those before it whose work it goes on from."""
        return self._earlier + (time.monotonic() - self._begin) / self.together

    def restore(self, network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> int:
        """Put back what is there: an interrupted training, or an expert that was finished when fewer epochs were asked.

        Returns how many epochs are done: 0 where there is nothing to use. A damaged file, one of another training, and
        a finished expert that does not hold what goes on from it count for nothing: the expert begins anew.

        Raises:
            UserError: A file of a newer ddbench.
        """
        found = [self._read(self.path, KIND), self._read(self._finished, FINISHED)]
        usable = [(tensors, facts) for tensors, facts in found if 0 < facts["epochs"] <= trajectory.epochs]
        if not usable:
            return 0
        tensors, facts = max(usable, key=lambda one: one[1]["epochs"])
        try:
            put_back(tensors, network, optimizer, trajectory)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            place = self.path if facts["kind"] == KIND else self._finished
            raise artifact.damaged(place, f"it is not of such a network: {first}") from None
        self._earlier = facts["seconds"]
        return facts["epochs"]

    def _read(self, path: Path, kind: str) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """Tensors and facts of a file from which this training can go on; of 0 epochs where it is none."""
        nothing: tuple[Mapping[str, Tensor], Mapping[str, Any]] = ({}, {"epochs": 0})
        if not path.is_file():
            return nothing
        try:
            tensors, facts = artifact.load(path, kind)
        except artifact.WrittenByNewerError:
            raise
        except UserError:
            return nothing
        ours = all(facts.get(key) == value for key, value in self._facts.items())
        ours = ours and type(facts.get("epochs")) is int and isinstance(facts.get("seconds"), int | float)
        return (tensors, facts) if ours and facts.get("extendable") else nothing

    def keep(self, epochs: int, network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> None:
        """Remember the state after ``epochs`` epochs, and write it if the last writing is long enough ago."""
        state = end_state(network, optimizer, trajectory.parameters.dtype)
        for name, rows in trajectory.tensors().items():
            state[name] = rows[: epochs + (name in ROWS)]
        facts = {"epochs": epochs, "seconds": round(self.seconds, 3), "extendable": True}
        self._unwritten = state, {**self._facts, **facts}
        if time.monotonic() - self._last_write >= self._pause:
            self.write()

    def write(self) -> None:
        """Write the state that was kept last, if it is not on disk.

        Raises:
            UserError: The disk is full.
        """
        if self._unwritten is not None:
            began = time.monotonic()
            artifact.save(self.path, KIND, *self._unwritten)
            self._unwritten = None
            self._last_write = time.monotonic()
            self._pause = max(self._least_pause, _SHARE * (self._last_write - began)) if self._least_pause else 0.0

    def discard(self) -> None:
        """Forget it all: the expert is finished, or can not be."""
        self._unwritten = None
        self.path.unlink(missing_ok=True)
