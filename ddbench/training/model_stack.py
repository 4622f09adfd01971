"""Models in training: one network, or several of one architecture side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ddbench.training.forward_pass import ForwardPass, Logits, Tensors

F = TypeVar("F", bound=Callable[..., Any])


class Trainable(Protocol):
    """One network in training, or k of one architecture.

    Shapes below are of one; of k, (k, ...) stands for each.
    """

    parameters: dict[str, Tensor]
    """Live parameters by name."""
    buffers: dict[str, Tensor]
    """Live buffers by name."""

    @property
    def forward(self) -> ForwardPass | None: ...

    def logits(self, inputs: Tensor) -> Tensor:
        """Compute logits in the first pass of an update; running statistics are moved on.

        Args:
            inputs: (B, C, H, W).

        Returns:
            Logits (B, K), differentiable in the parameters.
        """
        ...

    def functional_logits(self, parameters: Tensors, inputs: Tensor) -> Tensor:
        """Compute logits under other parameters; running statistics stay as they are.

        Args:
            parameters: Tensors by name, of the shapes of the network's own.
            inputs: (B, C, H, W).

        Returns:
            Logits (B, K), differentiable in ``parameters``.
        """
        ...

    def each(self, function: F) -> F:
        """Extend a function of tensors of one network to the tensors of all.

        Args:
            function: Function of tensors of one network.

        Returns:
            The function of tensors (k, ...); the same function where there is one network.
        """
        ...


@final
class SingleModel:
    """One network in training.

    Args:
        network: The network.
        forward: A pass that is not stacked; None calls the network.
    """

    def __init__(self, network: nn.Module, forward: ForwardPass | None = None) -> None:
        self.network, self.forward = network, forward
        self.parameters: dict[str, Tensor] = dict(network.named_parameters())
        self.buffers = dict(network.named_buffers())
        if forward is not None:
            forward.settle(self.parameters)
            forward.settle(self.buffers)

    def logits(self, inputs: Tensor) -> Tensor:
        if self.forward is None:
            return self.network(inputs)
        self.forward.begin_step()
        return self.forward(self.parameters, self.buffers, inputs)

    def functional_logits(self, parameters: Tensors, inputs: Tensor) -> Tensor:
        if self.forward is None:
            return functional_call(self.network, {**parameters, **_copied(self.buffers)}, (inputs,), strict=True)
        return self.forward.also(*_APART)(parameters, self.buffers, inputs)

    def each(self, function: F) -> F:
        return function


@final
class StackedModels:
    """Several networks of one architecture, their tensors side by side in tensors (k, ...).

    One that diverges leaves the others alone.

    Args:
        networks: On one device; from here on, what they hold are views of those tensors, so that each can be looked at,
            saved and restored as if it were trained alone.
        forward: A stacked pass.
    """

    def __init__(self, networks: Sequence[nn.Module], forward: ForwardPass) -> None:
        self.networks, self.forward = tuple(networks), forward
        self.parameters = _joined([dict(network.named_parameters()) for network in networks])
        self.buffers = _joined([dict(network.named_buffers()) for network in networks])
        for tensor in self.parameters.values():
            tensor.requires_grad_()
        forward.settle(self.parameters)
        forward.settle(self.buffers)

    @property
    def fused(self) -> bool:
        """True where launches count for more than arithmetic, so that batches are best augmented in one function."""
        return self.forward.replays

    def logits(self, inputs: Tensor) -> Tensor:
        self.forward.begin_step()
        return self.forward(self.parameters, self.buffers, inputs)

    def functional_logits(self, parameters: Tensors, inputs: Tensor) -> Tensor:
        return self.forward.also(*_APART)(parameters, self.buffers, inputs)

    def each(self, function: F) -> F:
        return vmap(function)  # type: ignore[return-value]


def _copied(buffers: Tensors) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in buffers.items()}


def _on_copies(logits: Logits) -> Logits:
    """Logits that leave the buffers as they are. The copies are made inside: a graph that writes to inputs which lie
    elsewhere at every call is never replayed, and its way back is recorded again each time."""
    return lambda parameters, buffers, inputs: logits(parameters, _copied(buffers), inputs)


_APART = "logits that leave the buffers as they are", _on_copies


@torch.no_grad()
def _joined(members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of each name side by side; the members' own become views of them."""
    join_ranks: dict[str, Tensor] = {}
    for name in members[0]:
        join_ranks[name] = torch.stack([member[name].detach() for member in members])
        for member, part in zip(members, join_ranks[name].unbind(), strict=True):
            member[name].data = part
    return join_ranks
