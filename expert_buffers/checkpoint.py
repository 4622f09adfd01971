"""Checkpoint of an expert in training, and the finished expert from which a longer one goes on."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ddbench.expert_buffers.buffer import KIND as FINISHED
from ddbench.expert_buffers.buffer import ROWS, expert_path
from ddbench.expert_buffers.optimizers import ExpertState
from ddbench.expert_buffers.training_state import end_state, put_back
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.training.checkpoint import Checkpoint, State

KIND = "expert in training"


class ExpertCheckpoint(Checkpoint):
    """One expert until it is long enough: what a finished expert's file holds, as far as it has come.

    Args:
        folder: Folder of the buffer.
        expert: Number of the expert.
        buffer: Fingerprint of the buffer.
        pause: Seconds between two writings at least; 0 writes after each epoch.
    """

    def __init__(self, folder: Path, expert: int, buffer: str, pause: float) -> None:
        identity = {"buffer": buffer, "expert": expert}
        super().__init__(folder / f".expert-{expert:04d}.unfinished", KIND, identity, pause)
        self._finished = Checkpoint(expert_path(folder, expert), FINISHED, identity)

    def restore(self, network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> int:
        """Put back an interrupted training, or an expert that was finished when fewer epochs were asked for.

        A damaged file, one of another expert, and a finished expert that does not hold what goes on from it count for
        nothing.

        Args:
            network: Network at its initialization.
            optimizer: Optimizer that has done nothing yet.
            trajectory: Rows and curves to fill.

        Returns:
            Epochs that are done; 0 where the expert begins anew.

        Raises:
            UserError: A file of a newer ddbench, or of another network.
        """
        usable: list[tuple[Checkpoint, State]] = []
        for file in (self, self._finished):
            state = file.read()
            if state is not None and _goes_on(state) and 0 < state[1]["epochs"] <= trajectory.epochs:
                usable.append((file, state))
        if not usable:
            return 0
        file, (tensors, facts) = max(usable, key=lambda one: one[1][1]["epochs"])
        with file.restoring("such a network"):
            put_back(tensors, network, optimizer, trajectory)
        self.earlier = facts["seconds"]
        return facts["epochs"]

    def keep(self, epochs: int, network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> None:
        """Remember the state at the end of an epoch, and write it if it is due.

        Args:
            epochs: Epochs that are done.
            network: Network in training.
            optimizer: Its optimizer.
            trajectory: Rows and curves, filled as far as ``epochs``.
        """
        state = end_state(network, optimizer, trajectory.parameters.dtype)
        for name, rows in trajectory.tensors().items():
            state[name] = rows[: epochs + (name in ROWS)]
        self.offer(state, {"epochs": epochs, "seconds": round(self.seconds, 3), "extendable": True})


def _goes_on(state: State) -> bool:
    _, facts = state
    return (
        type(facts.get("epochs")) is int
        and isinstance(facts.get("seconds"), int | float)
        and bool(facts.get("extendable"))
    )
