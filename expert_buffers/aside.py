"""A second look at a batch that leaves no trace in the network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.func import functional_call


def logits_aside(network: nn.Module, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    """Logits (B, K) of the network as it would be with these parameters, by name; differentiable in them and in inputs.

    The network's mode holds, so batch norm in train mode uses this batch; its running statistics stay as they are.
    """
    statistics = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, {**parameters, **statistics}, (inputs,), strict=True)
