"""Checkpoint of a training by a protocol: all that its next epoch depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ddbench.runtime.device import CHECKPOINT_SECONDS
from ddbench.training.checkpoint import Checkpoint, State

KIND = "training in progress"
Stream = torch.Generator | np.random.Generator


class TrainingCheckpoint(Checkpoint):
    """One training until its last epoch: its state at the end of an epoch.

    Args:
        path: File of the state; a damaged one counts for nothing.
        request: What the training follows from, as JSON.
        device: Device that trains, whose kind is part of that, because each kind draws other numbers.
        pause: Seconds between two writings at least; 0 writes after each epoch.

    Raises:
        UserError: The file is of another training, or of a newer ddbench.
    """

    def __init__(
        self, path: Path, request: Mapping[str, Any], device: torch.device, pause: float = CHECKPOINT_SECONDS
    ) -> None:
        super().__init__(path, KIND, {"asked": {**request, "device": device.type}}, pause)
        self.device = device
        self._saved: State | None = self.read(require_same=True)
        self.epochs: int = 0 if self._saved is None else self._saved[1]["epochs"]
        """Epochs that are done."""

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer, streams: Mapping[str, Stream]) -> int:
        """Put back the state in the file, if there is one.

        Args:
            network: Network at its initialization.
            optimizer: Optimizer that has done nothing yet.
            streams: Generators that an epoch is drawn from, by name.

        Returns:
            Epochs that are done.

        Raises:
            UserError: The state is not of such a network and optimizer.
        """
        if self._saved is not None:
            (tensors, facts), self._saved = self._saved, None
            with self.restoring("such a training"):
                self._put_back(tensors, facts, network, optimizer, streams)
        return self.epochs

    def _put_back(
        self,
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        streams: Mapping[str, Stream],
    ) -> None:
        network.load_state_dict(_below("network.", tensors))
        whole = optimizer.state_dict()
        whole["state"] = {}
        for name, tensor in _below("optimizer.", tensors).items():
            number, _, what = name.partition(".")
            whole["state"].setdefault(int(number), {})[what] = tensor
        for group, lr in zip(whole["param_groups"], facts["rates"], strict=True):
            group["lr"] = lr
        optimizer.load_state_dict(whole)
        states = _below("stream.", tensors)
        for name, generator in streams.items():
            if isinstance(generator, torch.Generator):
                generator.set_state(states[name])
            else:
                generator.bit_generator.state = facts["streams"][name]
        torch.set_rng_state(tensors["layers"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["layers.cuda"], self.device)

    def keep(
        self, epochs: int, network: nn.Module, optimizer: torch.optim.Optimizer, streams: Mapping[str, Stream]
    ) -> None:
        """Remember the state of a training, and write it if it is due.

        Args:
            epochs: Epochs done.
            network: Network in training.
            optimizer: Its optimizer.
            streams: Generators that the next epoch draws from, by name.
        """
        self.epochs = epochs
        tensors = {f"network.{name}": tensor.detach().clone() for name, tensor in network.state_dict().items()}
        for number, state in optimizer.state_dict()["state"].items():
            share = {what: value for what, value in state.items() if isinstance(value, Tensor)}
            tensors |= {f"optimizer.{number}.{what}": value.clone() for what, value in share.items()}
        tensors["layers"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["layers.cuda"] = torch.cuda.get_rng_state(self.device)
        others: dict[str, Any] = {}
        for name, generator in streams.items():
            if isinstance(generator, torch.Generator):
                tensors[f"stream.{name}"] = generator.get_state()
            else:
                others[name] = generator.bit_generator.state
        self.offer(tensors, {"epochs": epochs, "rates": _rates(optimizer), "streams": others})


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]
