"""Running out of memory, told from other errors, and said so that the user knows what to change."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from ddbench.errors import UserError
from ddbench.runtime.available_memory import free_bytes
from ddbench.runtime.compile import release_graphs

_MESSAGES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "std::bad_alloc",
    "CUDA out of memory",
    "CUDA ran out of memory outside PyTorch's allocator",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
"""What a RuntimeError says where memory was lacking: torch's allocator on the CPU and C++ below it, the CUDA driver,
and its libraries, which allocate for themselves."""

_MESSAGES_WHERE_FULL = (
    "GET was unable to find an engine to execute this computation",
    "FIND was unable to find an engine to execute this computation",
    "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate",
)
"""What it says where memory was lacking or something else is wrong: a convolution of cuDNN for whose workspace there is
no room, and the first product of a process. They count where little is free."""

LITTLE = 2**30
"""Bytes of a GPU below which little is free: a context, or the workspaces of convolutions, may not fit any more."""


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an exception means that memory was lacking, on the CPU or on CUDA.

    Args:
        error: The exception, of whichever library.

    Returns:
        True where it does.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    text = str(error)
    return any(message in text for message in _MESSAGES) or (
        any(message in text for message in _MESSAGES_WHERE_FULL) and _little_is_free()
    )


def _little_is_free() -> bool:
    """Whether the GPU in use has hardly any memory left, as far as it still answers."""
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return False
    try:
        free = free_bytes(torch.device("cuda", torch.cuda.current_device()))
    except RuntimeError:
        return False
    return free is not None and free < LITTLE


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
        release_graphs()
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
