"""Ways to differentiate N steps of a student by what it was trained on.

A student starts at ``state_0`` and takes N steps on synthetic data; a matching loss looks at where it went. Every
unroll here walks the same path and returns the states of it that are asked for; they differ only in how they go back.
Whatever is above (the loss) and below (indexing, augmentation, moving averages) is ordinary autograd.

With ``c[t]`` the cotangent that the loss gives for state t, and ``J[t]`` the Jacobian of step t, the exact gradient is

    a[N] = c[N],   a[t] = c[t] + J[t]^T a[t + 1],   d loss / d outer = sum_t (d step_t / d outer)^T a[t + 1]

so one step's graph at a time is enough. Source: the adjoint method; for students of trajectory matching, derived in the
documentation of TESLA's gradient (Cui et al., ICML 2023), which takes every J for the identity.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, final, runtime_checkable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Outer = tuple[Tensor, ...]
"""Everything that the outer loss is differentiated by: synthetic images, labels, the student's learning rate."""

Step = Callable[[Tensor, Outer, int], Tensor]
"""``step(state, outer, t) -> state``: one inner step. A pure function: whatever else it uses is constant, and calling
it twice with equal arguments gives equal results, so draws of augmentation and batches must be made before the unroll.
On a CPU they are equal to the bit; on a GPU, whose kernels add in any order, up to rounding, which harms nothing, for
the walk back starts each step from its stored state. ``state`` may have any shape: ``(P,)`` for plain SGD, ``(2, P)``
for momentum."""


@runtime_checkable
class PullsBack(Protocol):
    """A step that knows its own way back, and needs no autograd graph for it."""

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
        """Turn a cotangent of the state after step t into those of the state before it and of outer.

        Args:
            state: State before the step.
            outer: What the step uses.
            t: Number of the step, from 0.
            cotangent: Cotangent of the state after the step, shaped as the state.
            wanted: For each of outer, whether its share is wanted.
            first_order: Whether the step's move is taken for a constant of the state.

        Returns:
            The cotangent of the state before the step, and the share of each of outer; None for those that are not
            wanted.
        """
        ...


class Unroll(abc.ABC):
    """Carries a student through N steps. Subclasses differ only in the backward pass."""

    exact: ClassVar[bool]
    """Whether the gradient is that of the whole unrolled computation."""

    @abc.abstractmethod
    def run(
        self, step: Step, state_0: Tensor, outer: Sequence[Tensor], n: int, at: Sequence[int] | None = None
    ) -> Tensor:
        """Take N steps, and return states on the way, differentiable by ``state_0`` and ``outer``.

        Args:
            step: One inner step, a pure function.
            state_0: State at the start, of any shape.
            outer: Tensors that the steps use, such as images, labels and learning rate.
            n: Number of steps, N.
            at: Numbers of steps after which the state is wanted, rising, from 0 to N; None for all of ``0, ..., N``.
                What is left out takes no memory in the walk back.

        Returns:
            (len(at), *state_0.shape).

        Raises:
            ValueError: Numbers of steps that do not rise, or lie outside.
        """


@final
@dataclass(frozen=True)
class FullUnroll(Unroll):
    """Keep the graph of every step: exact, memory grows with N. What the released codes do, and the oracle of tests."""

    exact: ClassVar[bool] = True

    def run(
        self, step: Step, state_0: Tensor, outer: Sequence[Tensor], n: int, at: Sequence[int] | None = None
    ) -> Tensor:
        moments, state = _moments(n, at), state_0
        states = [state] if 0 in moments else []
        for t in range(n):
            state = step(state, tuple(outer), t)
            if t + 1 in moments:
                states.append(state)
        return torch.stack(states)


@final
@dataclass(frozen=True)
class AdjointUnroll(Unroll):
    """Walk the stored states backwards, one step's graph at a time: exact, and the default."""

    every: int = 1
    """How many steps' graphs are held at once. Larger values save nothing but the bookkeeping between segments; memory
    is that of ``every`` steps, and one state a step, which lies on the CPU where the student is on a GPU. A step that
    pulls back by itself is walked back one at a time, whatever ``every`` is."""
    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1, not {self.every}")

    def run(
        self, step: Step, state_0: Tensor, outer: Sequence[Tensor], n: int, at: Sequence[int] | None = None
    ) -> Tensor:
        return _Walk.apply(step, n, _moments(n, at), 0, self.every, False, state_0, *outer)  # type: ignore[no-any-return]


@final
@dataclass(frozen=True)
class TruncatedUnroll(Unroll):
    """Exact through the last ``last`` steps, nothing through those before: biased unless ``last >= N``."""

    last: int
    """Steps that are differentiated, 1 or more."""
    exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.last < 1:
            raise ValueError(f"last must be at least 1, not {self.last}")

    def run(
        self, step: Step, state_0: Tensor, outer: Sequence[Tensor], n: int, at: Sequence[int] | None = None
    ) -> Tensor:
        return _Walk.apply(step, n, _moments(n, at), max(n - self.last, 0), 1, False, state_0, *outer)  # type: ignore[no-any-return]


@final
@dataclass(frozen=True)
class TeslaUnroll(Unroll):
    """TESLA's two passes: every inner gradient is a constant of the steps after it. Constant memory, biased for N > 1.

    A step that has a method ``first_order`` (a student's does) is walked back through it, so momentum is carried
    rightly; for any other step the Jacobian is taken for the identity, which is the same thing for plain SGD.
    Measured against the exact gradient its cosine falls from 1.00 at N = 1 to about 0.9 where ``lr * N`` is large.
    Source: Cui et al., ICML 2023 (arXiv:2211.10586), without the released code's factor of one half.
    """

    exact: ClassVar[bool] = False

    def run(
        self, step: Step, state_0: Tensor, outer: Sequence[Tensor], n: int, at: Sequence[int] | None = None
    ) -> Tensor:
        return _Walk.apply(step, n, _moments(n, at), 0, 1, True, state_0, *outer)  # type: ignore[no-any-return]


def _moments(n: int, at: Sequence[int] | None) -> tuple[int, ...]:
    moments = tuple(range(n + 1) if at is None else at)
    if not moments or list(moments) != sorted({*moments} & {*range(n + 1)}):
        raise ValueError(f"states are asked for after rising numbers of steps from 0 to {n}, not {moments}")
    return moments


def _identity_jacobian(step: Step) -> Step:
    return lambda state, outer, t: state + step(state.detach(), outer, t) - state.detach()


class _Walk(torch.autograd.Function):
    """Forward: the states asked for, no graph. Backward: from the last to state ``cut``, ``every`` steps at a time.

    Its gradient can not be differentiated again; autograd says so. FullUnroll's can.
    """

    @staticmethod
    def forward(
        ctx: Any,
        step: Step,
        n: int,
        moments: tuple[int, ...],
        cut: int,
        every: int,
        first_order: bool,
        state_0: Tensor,
        *outer: Tensor,
    ) -> Tensor:
        path, state, states = _Path(n - cut, state_0), state_0, []
        for t in range(n):
            if t in moments:
                states.append(state)
            if t >= cut:
                path[t - cut] = state
            state = step(state, outer, t)
        if n in moments:
            states.append(state)
        ctx.step, ctx.n, ctx.moments, ctx.cut, ctx.every, ctx.first_order = step, n, moments, cut, every, first_order
        ctx.path = path
        ctx.save_for_backward(*outer)
        return torch.stack(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        outer = ctx.saved_tensors
        wanted = ctx.needs_input_grad[_BEFORE_OUTER:]
        cotangent_of = dict(zip(ctx.moments, cotangents[0].unbind(), strict=True))
        shares: list[Tensor | None] = [torch.zeros_like(o) if w else None for o, w in zip(outer, wanted, strict=True)]
        by_itself = isinstance(ctx.step, PullsBack)
        carried = cotangent_of[ctx.n].clone() if ctx.n in cotangent_of else torch.zeros_like(cotangents[0][0])
        end = ctx.n
        while end > ctx.cut:
            start = end - 1 if by_itself else max(end - ctx.every, ctx.cut)
            state = ctx.path[start - ctx.cut]
            if by_itself:
                carried, parts = ctx.step.pull_back(state, outer, start, carried, wanted, first_order=ctx.first_order)
            else:
                step = _first_order(ctx.step) if ctx.first_order else ctx.step
                carried, parts = _pull_back(step, state, outer, wanted, start, end, cotangent_of, carried)
            if start in cotangent_of:
                carried = carried + cotangent_of[start]
            for share, part in zip(shares, parts, strict=True):
                if share is not None and part is not None:
                    share += part
            end = start
        start_share = None
        if ctx.needs_input_grad[_BEFORE_OUTER - 1]:
            start_share = carried if ctx.cut == 0 else cotangent_of.get(0, torch.zeros_like(carried))
        return *(None for _ in range(_BEFORE_OUTER - 1)), start_share, *shares


_BEFORE_OUTER = 7
"""Inputs of :class:`_Walk` before those of outer; the last of them is the state it starts from."""


class _Path:
    """States by number, kept in memory of the CPU: beside a GPU it is the larger by far, and a step outlasts a copy."""

    def __init__(self, count: int, like: Tensor) -> None:
        self._device = like.device
        self._states = torch.empty((count, *like.shape), dtype=like.dtype, pin_memory=like.is_cuda)

    def __setitem__(self, number: int, state: Tensor) -> None:
        self._states[number].copy_(state, non_blocking=True)

    def __getitem__(self, number: int) -> Tensor:
        return self._states[number].to(self._device, non_blocking=True)


def _first_order(step: Step) -> Step:
    """The step with its move taken for a constant of the state: its own, or with the identity for its Jacobian."""
    return getattr(step, "first_order", None) or _identity_jacobian(step)


def _pull_back(
    step: Step,
    state: Tensor,
    outer: Sequence[Tensor],
    wanted: Sequence[bool],
    start: int,
    end: int,
    cotangent_of: Mapping[int, Tensor],
    carried: Tensor,
) -> tuple[Tensor, list[Tensor | None]]:
    """Gradients of the steps start..end-1, by the state before them and each of outer that is wanted.

    ``cotangent_of`` has cotangents of states by number, of which those between count; ``carried`` is that of the last.
    """
    leaf = state.detach().requires_grad_()
    leaves = [o.detach().requires_grad_(w) for o, w in zip(outer, wanted, strict=True)]
    inputs = [leaf, *(o for o in leaves if o.requires_grad)]
    with torch.enable_grad():
        between, weights, moved = [], [], leaf
        for t in range(start, end):
            moved = step(moved, tuple(leaves), t)
            if t + 1 in cotangent_of and t + 1 < end:
                between.append(moved)
                weights.append(cotangent_of[t + 1])
        by_state, *gradients = torch.autograd.grad(
            [*between, moved], inputs, [*weights, carried], allow_unused=True, materialize_grads=True
        )
    shares = iter(gradients)
    return by_state, [next(shares) if w else None for w in wanted]
