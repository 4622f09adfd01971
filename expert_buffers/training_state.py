"""State that the next epoch of an expert depends on besides its rows: saved to files, and restored."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ddbench.expert_buffers.optimizers import ExpertState
from ddbench.expert_buffers.trajectory import Trajectory, flat, unflatten_into

_LIVE, _OPTIMIZER = "end.parameters", "end.optimizer."


def end_state(network: nn.Module, optimizer: ExpertState, dtype: torch.dtype) -> dict[str, Tensor]:
    """Collect what training goes on from besides the rows.

    All randomness of an epoch follows from its name, so this and the last rows are all the remaining epochs depend on.

    Args:
        network: Network at the end of an epoch.
        optimizer: State of its optimizer.
        dtype: Dtype of the rows; beside rows that are rounded, the live parameters (float32) are saved as well.

    Returns:
        Tensors by the names they have in a file: none of them is that of a row or a curve.
    """
    state = {f"{_OPTIMIZER}{name}": tensor for name, tensor in optimizer.state().items()}
    if dtype != torch.float32:
        state[_LIVE] = flat(network.parameters())
    return state


def put_back(tensors: Mapping[str, Tensor], network: nn.Module, optimizer: ExpertState, trajectory: Trajectory) -> None:
    """Restore network, optimizer and trajectory to where a file's training ended.

    Args:
        tensors: Rows, curves and end state of the file, by name.
        network: Network whose parameters and buffers are set.
        optimizer: Optimizer whose state is set.
        trajectory: Trajectory whose first rows are set.
    """
    for name, rows in trajectory.tensors().items():
        rows[: len(tensors[name])] = tensors[name]
    unflatten_into(tensors.get(_LIVE, tensors["parameters"][-1]), network.parameters())
    if "statistics" in tensors:
        unflatten_into(tensors["statistics"][-1], network.buffers())
    state = {name: tensor for name, tensor in tensors.items() if name.startswith(_OPTIMIZER)}
    optimizer.restore({name.removeprefix(_OPTIMIZER): tensor for name, tensor in state.items()})
