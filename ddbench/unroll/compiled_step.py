"""The student's step with its gradient compiled: the same numbers up to rounding, with less time between operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final

import torch
from torch import Tensor
from torch.func import grad, vjp

from ddbench.runtime.compile import Compiler
from ddbench.unroll.sgd_step import BatchLoss, SGDStep
from ddbench.unroll.unroll import Outer

Batch = tuple[Tensor, ...]


class Kernel(Protocol):
    """The gradient of a loss of ``(theta, *batch)`` by theta, and its way back; as of :class:`GradientKernel`."""

    def __call__(self, theta: Tensor, batch: Batch) -> Tensor:
        """Compute d loss / d theta, (P,); not differentiable."""
        ...

    def pull_back(
        self, theta: Tensor, batch: Batch, cotangent: Tensor, by: tuple[bool, ...]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Compute the gradient and the shares of its inputs; as :meth:`GradientKernel.pull_back`.

        Args:
            theta: Parameters, (P,).
            batch: The other arguments of the loss.
            cotangent: (P,).
            by: For theta and each tensor of the batch, whether its share is wanted.

        Returns:
            The gradient, (P,), and the shares; None for those that are not wanted.
        """
        ...


@final
class GradientKernel:
    """The gradient of ``loss(theta, *batch)`` by theta, and what it hands back, as compiled functions of tensors.

    One kernel serves all steps of a run.

    Args:
        loss: A pure function of (theta, *batch) to a scalar.
        device: Type of the device, "cpu" or "cuda".
        strict: Whether a loss that does not compile is an error; else stderr has one warning, and plain autograd does
            the work.
        backend: Backend of torch.compile.
    """

    def __init__(
        self, loss: Callable[..., Tensor], device: str = "cpu", *, strict: bool = False, backend: str = "inductor"
    ) -> None:
        self.loss, self.compiler = loss, Compiler("the student's step", device, backend, strict=strict)
        self._gradient = self.compiler(grad(loss), _laid_out)
        self._pulls: dict[tuple[bool, ...], Callable[..., tuple[Tensor, ...]]] = {}

    @torch.no_grad()
    def __call__(self, theta: Tensor, batch: Batch) -> Tensor:
        """d loss / d theta, (P,); not differentiable."""
        return self._run(self._gradient, theta, *batch)

    @torch.no_grad()
    def pull_back(
        self, theta: Tensor, batch: Batch, cotangent: Tensor, by: tuple[bool, ...]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Compute the gradient g, and ``<g, cotangent>`` differentiated by theta and the tensors of the batch.

        Args:
            theta: Parameters, (P,).
            batch: The other arguments of the loss.
            cotangent: (P,).
            by: For theta and each tensor of the batch, whether its share is wanted.

        Returns:
            g (P,), and the shares, shaped as theta and the batch; None for those that are not wanted.

        Raises:
            UserError: The loss does not compile, and ``strict`` is set.
        """
        if by not in self._pulls:
            self._pulls[by] = self.compiler(_pulling(self.loss, by), _laid_out)
        g, *by_tensor = self._run(self._pulls[by], theta, *batch, cotangent)
        shares = iter(by_tensor)
        return g, [next(shares) if wanted else None for wanted in by]

    def _run(self, function: Callable[..., Any], *tensors: Tensor) -> Any:
        if self.compiler.device == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        return function(*tensors)


def _laid_out(tensor: Tensor) -> Tensor:
    """Images with their channels innermost, which compiled convolutions like best; all else as it is. Without history,
    of which every kind would be compiled anew."""
    tensor = tensor.detach()
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def _pulling(loss: Callable[..., Tensor], by: tuple[bool, ...]) -> Callable[..., tuple[Tensor, ...]]:
    """``(theta, *batch, cotangent) -> (g, *shares)``, the shares of those tensors that are asked for."""
    numbers = [number for number, wanted in enumerate(by) if wanted]

    def pull(*tensors: Tensor) -> tuple[Tensor, ...]:
        *inputs, cotangent = tensors

        def gradient(*varied: Tensor) -> Tensor:
            whole = list(inputs)
            for number, tensor in zip(numbers, varied, strict=True):
                whole[number] = tensor
            return grad(loss)(*whole)

        pulled: tuple[Any, ...] = vjp(gradient, *(inputs[number] for number in numbers))
        g, back = pulled
        return g, *back(cotangent)

    return pull


@final
@dataclass(frozen=True)
class FastStep(SGDStep):
    """:class:`SGDStep` that an unroll walks back through :meth:`pull_back`, without the student's autograd graph."""

    loss: BatchLoss  # pyright: ignore[reportIncompatibleMethodOverride]  # a field, which only looks like a method
    kernel: Kernel = field(kw_only=True)
    """Of the loss's ``of``. Called where something requires a gradient it is plain autograd, as the full unroll needs
    it."""

    def __call__(self, state: Tensor, outer: Outer, t: int) -> Tensor:
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (state, *outer)):
            return super().__call__(state, outer, t)
        theta = state if self.momentum == 0 else state[0]
        g = self.kernel(theta, self.loss.seen(outer[:-1], t))
        return self._move(state, self.loss.scale * g, outer[-1])

    def pull_back(
        self,
        state: Tensor,
        outer: Outer,
        t: int,
        cotangent: Tensor,
        wanted: Sequence[bool],
        *,
        first_order: bool = False,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Turn a cotangent of the state after the step into those of the state before it and of outer.

        Args:
            state: State before the step, (P,), or (2, P) with momentum.
            outer: What the step uses; the learning rate is last.
            t: Number of the step, from 0.
            cotangent: Cotangent of the state after the step, shaped as the state.
            wanted: For each of outer, whether its share is wanted.
            first_order: Whether the inner gradient is taken for a constant of the state (TESLA).

        Returns:
            The cotangent of the state before the step, and the share of each of outer; None for those that are not
            wanted.
        """
        theta, lr = (state if self.momentum == 0 else state[0]), outer[-1]
        by_theta_after = cotangent if self.momentum == 0 else cotangent[0]
        by_g = -lr * by_theta_after if self.momentum == 0 else cotangent[1] - lr * by_theta_after
        with torch.enable_grad():
            leaves = [o.detach().requires_grad_(w) for o, w in zip(outer[:-1], wanted[:-1], strict=True)]
            seen = self.loss.seen(tuple(leaves), t)
        by = (not first_order, *(tensor.requires_grad for tensor in seen))
        g, (by_theta, *by_seen) = self.kernel.pull_back(
            theta, tuple(tensor.detach() for tensor in seen), self.loss.scale * by_g, by
        )
        shares = through(seen, by_seen, leaves)
        way = self.loss.scale * g if self.momentum == 0 else self.momentum * state[1] + self.loss.scale * g
        shares.append(-torch.dot(by_theta_after, way) if wanted[-1] else None)
        before = by_theta_after if by_theta is None else by_theta_after + by_theta
        return (before if self.momentum == 0 else torch.stack([before, self.momentum * by_g])), shares


def through(seen: Batch, cotangents: Sequence[Tensor | None], leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """Turn cotangents of what a student sees into those of the tensors that it was made from.

    Args:
        seen: Tensors of the batch, with history.
        cotangents: One for each; None for those that require no gradient.
        leaves: Tensors that the batch was made from.

    Returns:
        One for each leaf; None for those that require no gradient.
    """
    learned = [leaf for leaf in leaves if leaf.requires_grad]
    pairs = [(tensor, c) for tensor, c in zip(seen, cotangents, strict=True) if c is not None]
    gradients: Sequence[Tensor] = ()
    if learned:
        gradients = torch.autograd.grad(
            [tensor for tensor, _ in pairs], learned, [c for _, c in pairs], allow_unused=True, materialize_grads=True
        )
    shares = iter(gradients)
    return [next(shares) if leaf.requires_grad else None for leaf in leaves]
