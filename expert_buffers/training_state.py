"""State that the next epoch of an expert depends on besides its rows: saved to files, and restored."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ddbench.expert_buffers.optimizers import ExpertState
from ddbench.expert_buffers.trajectory import Trajectory, flat, unflatten_into

_LIVE, _OPTIMIZER = "end.parameters", "end.optimizer."


def end_state(network: nn.Module, optimizer: ExpertState, dtype: torch.dtype) -> dict[str, Tensor]:
    """What goes on from the last row, by the names it has in a file: none of them is that of a row or a curve.

    Args:
        dtype: Of the rows; the live parameters (float32) are kept beside rows that are rounded. All randomness of an
            epoch follows from its name, so this and the last rows are all the remaining epochs depend on.
    """
    state = {f"{_OPTIMIZER}{name}": tensor for name, tensor in optimizer.state().items()}
    if dtype != torch.float32:
        state[_LIVE] = flat(network.parameters())
    return state


def put_back(tensors: Mapping[str, Tensor], network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> None:
    """Bring all three to where a file's training ended.

    Args:
        tensors: Its rows, curves and end state, by name.
    """
    for name, rows in trajectory.tensors().items():
        rows[: len(tensors[name])] = tensors[name]
    unflatten_into(tensors.get(_LIVE, tensors["parameters"][-1]), network.parameters())
    if "statistics" in tensors:
        unflatten_into(tensors["statistics"][-1], network.buffers())
    state = {name: tensor for name, tensor in tensors.items() if name.startswith(_OPTIMIZER)}
    optimizer.restore({name.removeprefix(_OPTIMIZER): tensor for name, tensor in state.items()})
