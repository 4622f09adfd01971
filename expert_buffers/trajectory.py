"""One expert's training, row by row: the tensors of an expert file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PER_EPOCH = ("train_loss", "train_accuracy", "validation_accuracy", "learning_rate")


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """An expert at initialization (row 0) and after each of its epochs (rows 1 to E), on the CPU."""

    parameters: Tensor
    """(E+1, P), float32 or bfloat16."""
    statistics: Tensor | None
    """(E+1, Q), float32, running statistics of batch norm, None without."""
    curves: Mapping[str, Tensor]
    """What was measured, each (E,), float32; entry k is of the epoch that leads from row k to row k+1: ``train_loss``
    and ``train_accuracy`` (running, over augmented batches), ``learning_rate``, and ``validation_accuracy`` (of row
    k+1, without augmentation). Imported experts have no curves."""

    @property
    def epochs(self) -> int:
        return len(self.parameters) - 1

    def tensors(self) -> dict[str, Tensor]:
        """Collect the tensors of an expert file.

        Returns:
            Parameters, statistics where there are any, and curves, by the names they have in the file.
        """
        tensors = {"parameters": self.parameters, **self.curves}
        return tensors if self.statistics is None else {**tensors, "statistics": self.statistics}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Trajectory:
        curves = {name: tensors[name] for name in PER_EPOCH if name in tensors}
        return cls(parameters=tensors["parameters"], statistics=tensors.get("statistics"), curves=curves)

    @classmethod
    def blank(cls, epochs: int, parameters: int, statistics: int, dtype: torch.dtype, validated: bool) -> Trajectory:
        """Allocate a trajectory of zeros, to be filled row by row.

        Args:
            epochs: E, epochs of the expert.
            parameters: P, numbers of its parameters.
            statistics: Q, numbers of its running statistics; 0 is none.
            dtype: Dtype of the parameters' rows.
            validated: Whether there is a curve of validation accuracy.

        Returns:
            A trajectory of E+1 rows and curves of E entries.
        """
        names = [name for name in PER_EPOCH if validated or name != "validation_accuracy"]
        return cls(
            parameters=torch.zeros(epochs + 1, parameters, dtype=dtype),
            statistics=torch.zeros(epochs + 1, statistics) if statistics else None,
            curves={name: torch.zeros(epochs) for name in names},
        )

    def snapshot(self, row: int, network: nn.Module) -> None:
        """Copy the network as it is now into a row. Always a copy: on the CPU, a detached parameter is the live one.

        Args:
            row: Number of the row; 0 is the initialization.
            network: Network in training.
        """
        self.parameters[row] = flat(network.parameters())
        if self.statistics is not None:
            self.statistics[row] = flat(network.buffers())


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Concatenate all numbers of tensors, in order.

    Args:
        tensors: Tensors of any shapes, on any device.

    Returns:
        A new float32 vector on the CPU, detached.
    """
    return torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors]).cpu()


@torch.no_grad()
def unflatten_into(vector: Tensor, tensors: Iterable[Tensor]) -> None:
    """Write a vector that :func:`flat` made back into tensors.

    Args:
        vector: Numbers of all tensors, in order.
        tensors: Tensors of the shapes that it was made from; written in place.
    """
    start = 0
    for tensor in tensors:
        tensor.copy_(vector[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()
