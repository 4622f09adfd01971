"""A training in progress: all that its next epoch depends on, in a hidden file; a killed process loses little."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.runtime.device import CHECKPOINT_SECONDS

KIND = "training in progress"
Stream = torch.Generator | np.random.Generator
_SHARE = 10
"""A state that takes a second to write is written at most every ten."""


class TrainingCheckpoint:
    """One training until its last epoch: its state at the end of an epoch, on disk at most every ``pause`` seconds.

    asked: JSON, what the training follows from.

    Args:
        device: Where it is trained, whose kind is part of that, because each kind draws other numbers.
        pause: 0 writes after each epoch. A damaged file counts for nothing. epochs: how many are done already.

    Raises:
        UserError: The file of another training, or of a newer ddbench.
    """

    def __init__(
        self, path: Path, request: Mapping[str, Any], device: torch.device, pause: float = CHECKPOINT_SECONDS
    ) -> None:
        self.path, self.device = path, device
        self._request = {**request, "device": device.type}
        self._least_pause, self._pause = pause, pause
        self._last_write = time.monotonic()
        self._unwritten: tuple[dict[str, Tensor], dict[str, Any]] | None = None
        self._saved = self._read()
        self.epochs: int = self._saved[1]["epochs"] if self._saved else 0

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        if not self.path.is_file():
            return None
        try:
            tensors, facts = artifact.load(self.path, KIND)
        except artifact.WrittenByNewerError:
            raise
        except UserError:
            return None
        if not (isinstance(facts.get("asked"), dict) and type(facts.get("epochs")) is int):
            return None
        for key, mine in self._request.items():
            if facts["asked"].get(key) != mine:
                raise UserError(
                    f"{self.path} is of another training",
                    f"there {key} {facts['asked'].get(key)}",
                    f"asked {key} {mine}",
                    fix=f"go on with the {key} it was begun with, or delete the file, and the training begins anew",
                )
        return tensors, facts

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer, streams: Mapping[str, Stream]) -> int:
        """Put back what the file has, if there is one.

        Returns how many epochs are done.

        Raises:
            UserError: What it has is not of such a network and optimizer.
        """
        if self._saved is None:
            return 0
        (tensors, facts), self._saved = self._saved, None
        try:
            self._put_back(tensors, facts, network, optimizer, streams)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise artifact.damaged(self.path, _summary(error)) from None
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
        """Remember the state after ``epochs`` epochs, and write it if the last writing is long enough ago."""
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
        facts = {"asked": self._request, "epochs": epochs, "rates": _rates(optimizer), "streams": others}
        self._unwritten = tensors, facts
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
            self._unwritten, self._last_write = None, time.monotonic()
            self._pause = max(self._least_pause, _SHARE * (self._last_write - began)) if self._least_pause else 0.0

    def discard(self) -> None:
        """Forget it all: the training is finished, or can not be."""
        self._unwritten = None
        self.path.unlink(missing_ok=True)


def _summary(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]
