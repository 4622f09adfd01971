"""A pretend CUDA device for machines without a GPU: real numbers, strict about devices, with a thread of its own.

:func:`install` builds a small C++ extension that takes the place of the CUDA backend: tensors of ``cuda:0`` lie in the
CPU's memory, every operation of CUDA's dispatch key is carried out by the CPU's kernel, and ``torch.cuda`` answers as
if one GPU were there. Unchanged code then runs with ``device="cuda"``, and

* mixing a tensor of CUDA with one of the CPU raises, as on a GPU (scalars and indices pass);
* backward passes run in autograd's thread of the device: thread-local state, compilation inside a backward pass and
  exceptions on their way out are real;
* every wait of the host for the device is counted, with its line of code (:func:`waits`): ``.item()``, ``.tolist()``,
  ``bool(tensor)``, ``.cpu()``, ``.to("cuda")`` of pageable memory, masks, ``nonzero``;
* allocations are counted and can be limited (:func:`limited`): torch.OutOfMemoryError comes inside backward passes too;
* pinned blocks, copies that do not wait, and calls of ``torch.cuda`` are recorded;
* ``torch.compile(mode="reduce-overhead")`` becomes a pretend CUDA graph, whose outputs the next generation fills with
  NaN, so that whoever still holds one is found; recordings, replays and calls without a graph are counted (``GRAPHS``);
* NCCL is gloo on copies, so that two processes are two machines with a GPU each;
* ``PRETEND_NOISE=1e-6`` makes weight gradients of convolutions differ from call to call, as kernels do that add in any
  order: whoever compares bits on a GPU is found.

It knows nothing of CUDA's numerics, cuDNN, Triton, streams or speed. It replaces the table of functions of one of
torch's objects, so it is for tests alone.

    PRETEND_CUDA=1 pytest                                               # the suite, with "cuda" among its devices
    PYTHONPATH=tests python -m helpers.pretend_cuda -m ddbench run quickstart --device cuda
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from helpers.pretend_cuda.collectives import replace_nccl
from helpers.pretend_cuda.cuda_api import CALLS, replace_cuda_api
from helpers.pretend_cuda.extension import missing_compiler, native
from helpers.pretend_cuda.graphs import GRAPHS, end_generation, replace_compile
from helpers.pretend_cuda.host import PINNED, Waits, replace_host_memory, waits

__all__ = [
    "CALLS",
    "GRAPHS",
    "PINNED",
    "Waits",
    "end_generation",
    "install",
    "installed",
    "limited",
    "memory",
    "missing_compiler",
    "requested",
    "waits",
]

TOTAL = 140 * 2**30
"""Bytes of memory that the device says it has."""


def requested() -> bool:
    """Tell whether the environment asks for the pretend device: ``PRETEND_CUDA``, unless it is empty or 0."""
    return os.environ.get("PRETEND_CUDA", "0") not in ("", "0")


def installed() -> bool:
    """Tell whether CUDA is the pretend device in this process."""
    return native.cache_info().currsize > 0


def install() -> None:
    """Put the pretend device in the place of CUDA, in this process, for good; before the first backward pass."""
    if installed():
        return
    native().install(float(os.environ.get("PRETEND_NOISE", "0")))
    replace_cuda_api(TOTAL)
    replace_host_memory()
    replace_nccl()
    replace_compile()


def memory() -> ModuleType:
    """Counters of the device's memory: ``now()``, ``peak()`` and ``reset_peak()``, in bytes."""
    return native()


@contextmanager
def limited(more: int) -> Iterator[None]:
    """Refuse allocations inside the block that take more than a number of bytes beyond what is in use now."""
    native().limit(native().now() + more)
    try:
        yield
    finally:
        native().limit(-1)
