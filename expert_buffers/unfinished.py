"""The expert in training, kept in a hidden file so that a killed process loses little and changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

from torch import Tensor, nn

from ddbench import artefact
from ddbench.errors import UserError
from ddbench.expert_buffers.optimizers import ExpertOptimizer
from ddbench.expert_buffers.trajectory import Trajectory, flat, unflatten_into

KIND = "unfinished expert"
_SHARE = 10
"""A state that takes a second to write is written at most every ten."""


class Unfinished:
    """The state of one expert at the end of an epoch, on disk at most every ``seconds``; 0: after each.

    It holds the rows so far, the live parameters and statistics (float32, also where rows are bfloat16) and what the
    optimizer keeps. All randomness of an epoch follows from its name, so that is all the remaining epochs depend on.
    """

    def __init__(self, folder: Path, expert: int, buffer: str, seconds: float) -> None:
        self.path = folder / f".expert-{expert:04d}.unfinished"
        self._facts = {"buffer": buffer, "expert": expert}
        self._seconds, self._pause = seconds, seconds
        self._last_write = time.monotonic()
        self._unwritten: tuple[dict[str, Tensor], dict[str, object]] | None = None

    def restore(self, network: nn.Module, optimizer: ExpertOptimizer, trajectory: Trajectory) -> int:
        """Put back what is there. Returns how many epochs are done: 0 where there is nothing to use.

        A damaged file, or one of another training, counts for nothing: the expert begins anew.
        """
        if not self.path.is_file():
            return 0
        try:
            tensors, facts = artefact.load(self.path, KIND)
        except UserError:
            return 0
        epochs = facts.get("epochs", 0)
        if epochs > trajectory.epochs or any(facts.get(key) != value for key, value in self._facts.items()):
            return 0
        for name, rows in trajectory.tensors().items():
            saved = tensors[f"rows.{name}"]
            rows[: len(saved)] = saved
        unflatten_into(tensors["parameters"], network.parameters())
        if "statistics" in tensors:
            unflatten_into(tensors["statistics"], network.buffers())
        optimizer.restore({n.removeprefix("optimizer."): t for n, t in tensors.items() if n.startswith("optimizer.")})
        return epochs

    def keep(self, epochs: int, network: nn.Module, optimizer: ExpertOptimizer, trajectory: Trajectory) -> None:
        """Remember the state after ``epochs`` epochs, and write it if the last writing is long enough ago."""
        state = {f"optimizer.{name}": tensor for name, tensor in optimizer.state().items()}
        state["parameters"] = flat(network.parameters())
        if trajectory.statistics is not None:
            state["statistics"] = flat(network.buffers())
        for name, rows in trajectory.tensors().items():
            state[f"rows.{name}"] = rows[: epochs + (name in ("parameters", "statistics"))]
        self._unwritten = state, {**self._facts, "epochs": epochs}
        if time.monotonic() - self._last_write >= self._pause:
            self.write()

    def write(self) -> None:
        """Write the state that was kept last, if it is not on disk. Errors: UserError when the disk is full."""
        if self._unwritten is not None:
            began = time.monotonic()
            artefact.save(self.path, KIND, *self._unwritten)
            self._unwritten = None
            self._last_write = time.monotonic()
            self._pause = max(self._seconds, _SHARE * (self._last_write - began)) if self._seconds else 0.0

    def discard(self) -> None:
        """Forget it all: the expert is finished, or can not be."""
        self._unwritten = None
        self.path.unlink(missing_ok=True)
