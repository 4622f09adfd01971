"""Running out of memory, told from other errors, and said so that the user knows what to change."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from ddbench.errors import UserError

_MESSAGES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "std::bad_alloc",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What a RuntimeError says where memory was lacking: torch's allocator on the CPU and C++ below it, the CUDA driver,
and its libraries, which allocate for themselves."""


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an exception means that memory was lacking, on the CPU or on CUDA.

    Args:
        error: The exception, of whichever library.

    Returns:
        True where it does.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


def let_go(error: BaseException) -> None:
    """Free what the functions that an exception came through hold: the tensors of the step that did not fit.

    Args:
        error: The exception.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
    _empty_autograds_queue()
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _empty_autograds_queue() -> None:
    """A backward pass that failed leaves its queue behind, and with it the graph, until the thread's next one."""
    with torch.enable_grad():
        one = torch.ones((), requires_grad=True)
        torch.autograd.grad(one * one, one)


@contextmanager
def memory_errors(
    what: str, on_disk: Callable[[], str], memory_suggestions: Callable[[], Sequence[str]]
) -> Iterator[None]:
    """Turn running out of memory inside the block into a UserError; everything else passes.

    Args:
        what: What is being done, such as ``"distilling"``.
        on_disk: Says what is on disk; called once memory is free again.
        memory_suggestions: Says what makes it smaller, the best first; called once memory is free again.

    Yields:
        Nothing.

    Raises:
        UserError: Memory was lacking; says what is on disk and what makes the computation smaller.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        let_go(error)
        raise UserError(
            f"out of memory while {what}",
            f"why   {reason_of(error)}",
            f"kept  {on_disk()}",
            fix=", or ".join(memory_suggestions()),
        ) from None


def reason_of(error: BaseException) -> str:
    """Shorten an error to one line, without the place in torch's sources that it begins with.

    Args:
        error: The error.

    Returns:
        The line.
    """
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return line[line.find("DefaultCPUAllocator") :] if "DefaultCPUAllocator" in line else line
