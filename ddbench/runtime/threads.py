"""Threads of a computation: tiny ones are no faster on two, and far slower beside others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

SMALL = 2_000_000
"""Numbers that a batch's activations hold, below which one thread is used. Measured on two cores with ConvNets: at 0.8
million, two threads save 6 % of a step on an idle machine and lose a factor of ten on a busy one."""


def threads_for(floats: int, device: torch.device) -> AbstractContextManager[None]:
    """One thread inside the block where a batch's activations, ``floats`` numbers, are few; else as they are."""
    return one_thread(device) if floats < SMALL else nullcontext()


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """One thread inside the block, on the CPU; then as many as before."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
