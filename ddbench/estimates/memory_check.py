"""Checks of an estimate of memory against what is free, and settings that make it fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import torch

from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.model_size import MemorySuggestion
from ddbench.runtime.available_memory import free_bytes

Policy = Literal["refuse", "warn"]
"""What happens to a computation that, by estimate, does not fit: it is refused, or begun with a warning."""

NEARLY = 0.9
"""The share of what is free from which on a computation that fits is warned of: estimates are some percent off."""


def available_bytes(device: torch.device) -> int | None:
    """Measure the memory that this process can get on its device.

    Args:
        device: The device. On a CPU the ranks of a machine share what there is.

    Returns:
        Bytes; None where it is not known.
    """
    free = free_bytes(device)
    if free is None or device.type != "cpu":
        return free
    return free // int(os.environ.get("LOCAL_WORLD_SIZE") or 1)


STACK_SHARE = 0.5
"""The share of what is free that networks stacked on a GPU take at most.

The estimate is a fit to a CPU; a GPU's convolutions take memory to work in besides, and other processes may share it.
"""

MOST_STACKED = 16
"""Networks stacked where nobody says how many: beyond it a GPU is as busy with them as it gets."""


def stack_size(stacked: int | None, count: int, device: torch.device, each: Estimate) -> int:
    """Choose how many of several networks are trained at once.

    Args:
        stacked: Networks at once, where somebody says so; None is one on a CPU, where several are slower than one after
            the other, and as many as fit on a GPU.
        count: Networks in all.
        device: Device that trains.
        each: Memory of one network of the stack.

    Returns:
        A number from 1 to ``count``.

    Raises:
        ValueError: Less than 1.
    """
    if stacked is None:
        free = (free_bytes(device) or 0) if device.type == "cuda" else 0
        stacked = max(1, min(MOST_STACKED, each.fitting(int(STACK_SHARE * free))))
    if stacked < 1:
        raise ValueError(f"at least 1 network is trained at once, not {stacked}")
    return max(1, min(stacked, count))


def require(
    what: str,
    needed: int,
    device: torch.device,
    free: int | None,
    memory_suggestions: Callable[[int], Sequence[MemorySuggestion]],
    *,
    policy: Policy = "refuse",
) -> None:
    """See that the bytes of an estimate are free on the device; close to it, say so in a line on stderr.

    Args:
        what: Computation that takes them, such as ``"the distillation of mtt at ipc 50"``.
        needed: Bytes that it takes; those of an ``Estimate`` are told apart.
        device: Device that computes.
        free: Bytes of :func:`available_bytes`; None: all fits.
        memory_suggestions: Changes that make it fit in so many bytes.
        policy: Whether what does not fit is refused, or begun with a warning.

    Raises:
        UserError: More is needed, unless the policy is to warn.
    """
    if free is None or needed <= NEARLY * free:
        return
    if needed <= free or policy == "warn":
        share = f"{needed / max(free, 1):.0%}"
        sys.stderr.write(
            f"{what} takes {format_gb(needed)} by estimate, {share} of the {format_gb(free)} free on {device}\n"
        )
        return
    helps = memory_suggestions(int(NEARLY * free))
    raise UserError(
        f"{what} does not fit: it takes {format_gb(needed)} by estimate, and {format_gb(free)} are free on {device}",
        *([f"parts {breakdown(needed)}"] if isinstance(needed, Estimate) else []),
        *(f"helps {in_words(suggestion)}" for suggestion in helps),
        fix=f"{_enough(helps, free)}; or begin all the same with --memory warn",
    )


def _enough(memory_suggestions: Sequence[MemorySuggestion], available: int) -> str:
    """The changes that make it fit, by name."""
    changes = [
        suggestion.how
        for suggestion in memory_suggestions
        if suggestion.bytes is not None and suggestion.bytes <= available
    ]
    return ", or ".join(changes) or "take a device with more memory"


def breakdown(estimate: Estimate) -> str:
    """List an estimate's parts in words, the largest first.

    Args:
        estimate: The estimate.

    Returns:
        Such as ``activations 21.9 GB, weights 1.2 MB``.
    """
    parts = sorted(estimate.parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {format_gb(count)}" for name, count in parts if count)


def in_words(suggestion: MemorySuggestion) -> str:
    """Describe a change and its effect.

    Args:
        suggestion: The change.

    Returns:
        Such as ``-o method.batch_syn=37 (21.9 GB; another run)``.
    """
    facts = [
        *([] if suggestion.bytes is None else [format_gb(suggestion.bytes)]),
        *([suggestion.note] if suggestion.note else []),
    ]
    return f"{suggestion.how} ({'; '.join(facts)})" if facts else suggestion.how


def format_gb(count: int) -> str:
    """Format bytes as people compare them.

    Args:
        count: Bytes.

    Returns:
        Such as ``21.9 GB``, ``0.35 GB``, and ``1.2 MB`` below 0.1 GB.
    """
    value = count / 1e9
    if value < 0.1:
        return f"{1000 * value:.1f} MB"
    return f"{value:.1f} GB" if value >= 9.95 else f"{value:.2f} GB"
