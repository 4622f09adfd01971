"""A network seen as a pure function of one vector: the form in which experts are stored and students are trained."""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ddbench.errors import UserError
from ddbench.networks.build import build_network
from ddbench.networks.image_shape import ImageShape
from ddbench.networks.students import batch_statistics_only, refuse_non_students


def flatten_parameters(module: nn.Module) -> Tensor:
    """Copy all parameters of a module into one vector, in the order of ``module.parameters()``.

    Args:
        module: The network.

    Returns:
        (P,): a snapshot, never an alias.
    """
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])


def initial_parameters(name: str, shape: ImageShape | None = None, *, seed: int, **numbers: int) -> Tensor:
    """Draw the parameters with which ``build_network`` of the same arguments begins.

    Args:
        name: Name of the network.
        shape: Images and classes that it is for.
        seed: Decides every parameter.
        numbers: The shape's channels, size and classes, where no shape is given.

    Returns:
        (P,), float32.

    Raises:
        UserError: An unknown name or images that this network does not take.
    """
    return flatten_parameters(build_network(name, shape, seed=seed, **numbers))


@final
class FlatNetwork:
    """A network as a function of its parameters in one vector (P,) and its inputs; it keeps no state of training.

    ``names`` and ``shapes`` are of the parameters, in the order in which they lie in the vector; ``size`` is P. Batch
    norm in train mode uses the statistics of the batch and keeps none.

    Args:
        module: The network; it is copied, so nothing done here reaches the original.

    Raises:
        UserError: The module can not be a student; says why.
    """

    def __init__(self, module: nn.Module) -> None:
        refuse_non_students(module)
        self.module = batch_statistics_only(copy.deepcopy(module))
        parameters = dict(self.module.named_parameters())
        self.names = tuple(parameters)
        self.shapes = tuple(parameter.shape for parameter in parameters.values())
        self.size = sum(shape.numel() for shape in self.shapes)
        self._sizes = [shape.numel() for shape in self.shapes]
        self._constants = dict(self.module.named_buffers())

    def __call__(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Logits (B, K) of inputs (B, ...) under the parameters theta (P,); differentiable in both, any times."""
        return functional_call(self.module, {**self.unflatten(theta), **self._constants}, (inputs,), strict=True)

    def embed(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Compute what the last linear layer sees.

        Args:
            theta: Parameters, (P,).
            inputs: (B, ...).

        Returns:
            (B, F), differentiable in both arguments.

        Raises:
            UserError: The network has no linear layer.
        """
        linear = [module for module in self.module.modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise UserError(
                f"{type(self.module).__name__} has no linear layer to take features from", fix="choose another network"
            )
        features: list[Tensor] = []
        handle = linear[-1].register_forward_pre_hook(lambda module, entering: features.append(entering[0].flatten(1)))
        try:
            self(theta, inputs)
        finally:
            handle.remove()
        return features[0]

    def with_frozen_norms(self, theta: Tensor, inputs: Tensor) -> FlatNetwork:
        """Fix batch norm to the statistics of one batch.

        Args:
            theta: Parameters, (P,).
            inputs: The batch, (B, ...).

        Returns:
            A network of the same parameters that treats every image by itself; on the batch its logits are those of
            this one.
        """
        frozen = FlatNetwork(self.module)

        def freeze(layer: nn.Module, entering: tuple[Tensor, ...]) -> None:
            var, mean = torch.var_mean(entering[0], [0, *range(2, entering[0].ndim)], correction=0)
            layer.running_mean, layer.running_var = mean, var
            layer.eval()

        layers = [layer for layer in frozen.module.modules() if isinstance(layer, _BatchNorm)]
        handles = [layer.register_forward_pre_hook(freeze) for layer in layers]
        try:
            with torch.no_grad():
                frozen(theta, inputs)
        finally:
            for handle in handles:
                handle.remove()
        frozen._constants = dict(frozen.module.named_buffers())
        return frozen

    def flatten(self, module: nn.Module | None = None) -> Tensor:
        """Copy parameters into one vector.

        Args:
            module: A module of the same kind; None for the one this network was made with.

        Returns:
            (P,): a snapshot, never an alias.

        Raises:
            ValueError: ``module`` has other parameters than this network.
        """
        if module is not None:
            parameters = [(name, parameter.shape) for name, parameter in module.named_parameters()]
            if parameters != list(zip(self.names, self.shapes, strict=True)):
                raise ValueError("the module's parameters differ in name, order or shape from this network's")
        return flatten_parameters(self.module if module is None else module)

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """Cut a vector into parameters.

        Args:
            theta: (P,).

        Returns:
            Parameters by name, as views of theta.
        """
        parts = theta.split(self._sizes)
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    def to(self, *args: Any, **kwargs: Any) -> FlatNetwork:
        """Copy the network to a device, or to a dtype.

        Args:
            args: Arguments of ``nn.Module.to``.
            kwargs: Arguments of ``nn.Module.to``.

        Returns:
            The copy.
        """
        moved = FlatNetwork(self.module)
        moved.module.to(*args, **kwargs)
        moved._constants = dict(moved.module.named_buffers())
        return moved
