"""Threads of a computation: tiny ones are no faster on two, and far slower beside others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

SMALL = 2_000_000
"""Numbers that a batch's activations hold, below which one thread is used. Measured on two cores with ConvNets: at 0.8
million, two threads save 6 % of a step on an idle machine and lose a factor of ten on a busy one."""


def threads_for(floats: int, device: torch.device) -> AbstractContextManager[None]:
    """Use one thread inside the block where a computation is small.

    Args:
        floats: Numbers that a batch's activations hold; below ``SMALL`` one thread is used.
        device: Where it is computed.

    Returns:
        A context manager.
    """
    return one_thread(device) if floats < SMALL else nullcontext()


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Use one thread inside the block, on the CPU; then as many as before.

    Args:
        device: Where it is computed; nothing changes for CUDA.

    Yields:
        Nothing.
    """
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
