"""A network as one function of tensors, for all networks of its kind: compiled once, or of several networks at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ddbench.networks import ImageShape, build_network
from ddbench.randomness import isolated
from ddbench.runtime.compile import Compiler

Tensors = Mapping[str, Tensor]
"""Parameters or buffers by name; of k networks side by side each is (k, ...)."""

Logits = Callable[[Tensors, Tensors, Tensor], Tensor]
"""Parameters, buffers and inputs (B, C, H, W) to logits (B, K). Running statistics among the buffers are moved on."""


@final
class ForwardPass:
    """The training pass of all networks that are built like ``network``, by its parameters and buffers.

    Differentiable once where compiled.

    Args:
        network: Network whose architecture it copies.
        stacked: Parameters, buffers and inputs are of k networks side by side, (k, ...), and so are the logits (k, B,
            K).
        compile: At the first call, and for every new shape; where that fails, the plain function takes over for good.
        notice: Whether such a failure is reported on stderr.
        device: Its type.
        backend: Of torch.compile.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        stacked: bool = False,
        compile: bool = False,
        notice: bool = False,
        device: str = "cpu",
        backend: str = "inductor",
    ) -> None:
        skeleton = copy.deepcopy(network).train()

        def logits(parameters: Tensors, buffers: Tensors, inputs: Tensor) -> Tensor:
            return functional_call(skeleton, {**parameters, **buffers}, (inputs,), strict=True)

        self.stacked, self.device = stacked, device
        self._compiler = Compiler("the network's training step", device, backend, notice=notice) if compile else None
        self._one: Logits = logits
        self._others: dict[str, Logits] = {}
        self._logits = self._made(logits)

    def __call__(self, parameters: Tensors, buffers: Tensors, inputs: Tensor) -> Tensor:
        """Logits. Where it replays, those of an earlier pass count for nothing once :meth:`begin_step` was called."""
        return self._logits(parameters, buffers, inputs)

    @property
    def compiles(self) -> bool:
        """True where it is compiled, and nothing has failed so far."""
        return self._compiler is not None and not self._compiler.failed

    @property
    def replays(self) -> bool:
        """True where it runs as a graph of launches that is replayed, as compiled passes do on CUDA."""
        return self.compiles and self.device == "cuda"

    def begin_step(self) -> None:
        """Release what a replayed graph left; called before the first pass of an update."""
        if self.replays:
            torch.compiler.cudagraph_mark_step_begin()

    def settle(self, tensors: Tensors) -> None:
        """Promise that tensors stay where they are, so that a replayed graph reads them in place.

        Args:
            tensors: Parameters or buffers by name.
        """
        if self.replays:
            for tensor in tensors.values():
                torch._dynamo.mark_static_address(tensor, guard=False)

    def also(self, name: str, make: Callable[[Logits], Logits]) -> Logits:
        """Make another function of the same arguments, once for each name.

        Args:
            name: Name of the function; a second call with it returns the first one's.
            make: Makes the function of a single network from its logits.

        Returns:
            The function, compiled and stacked as the pass itself is.
        """
        if name not in self._others:
            self._others[name] = self._made(make(self._one))
        return self._others[name]

    def _made(self, function: Logits) -> Logits:
        plain = vmap(function) if self.stacked else function
        return plain if self._compiler is None else self._compiler(plain)


@lru_cache(maxsize=8)
def forward_pass(name: str, shape: ImageShape, device: torch.device, **options: Any) -> ForwardPass:
    """Make the training pass of a network, once in a process, so that it is compiled once.

    Args:
        name: Canonical name of the network.
        shape: Images and classes.
        device: Device that computes.
        **options: Further arguments of :class:`ForwardPass`.

    Returns:
        The pass, the same for the same arguments.
    """
    network = build_network(name, shape, seed=0).to(device)
    return ForwardPass(network, device=device.type, **options)


def draws_at_random(network: nn.Module, shape: ImageShape) -> bool:
    """Tell whether a training pass of a network draws random numbers, as dropout does.

    Args:
        network: Network on the CPU; a copy of it is called, and the global random state stays as it is.
        shape: Images that it takes.

    Returns:
        True where the pass draws.
    """
    with isolated(0), torch.no_grad():
        before = torch.get_rng_state()
        copy.deepcopy(network).train()(torch.zeros(2, *shape.image))
        return not torch.equal(before, torch.get_rng_state())
