"""``torch.cuda`` as it answers where there is one GPU, with every call counted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from helpers.pretend_cuda.extension import native

CALLS: Counter[str] = Counter()
"""Number of calls of functions of ``torch.cuda``, by name, and of collectives on tensors of the device."""

NAME = "Pretend H200"


class Properties:
    """Properties of the device, of which Inductor reads some."""

    name, major, minor, multi_processor_count, total_memory = NAME, 9, 0, 132, 140 * 2**30
    warp_size, max_threads_per_multi_processor, regs_per_multiprocessor, gcnArchName = 32, 2048, 65536, ""
    uuid = uuid.UUID(int=1)


class Nothing:
    """Stands for streams, events and contexts: whatever is asked of it does nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None: ...

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def __call__(self, *arguments: Any, **options: Any) -> Nothing:
        return self

    def __getattr__(self, name: str) -> Callable[..., Nothing]:
        return lambda *arguments, **options: self


def replace_cuda_api(total: int) -> None:
    """Have ``torch.cuda`` answer for one GPU.

    Args:
        total: Bytes of memory that it says it has.
    """
    cuda, generator = torch.cuda, torch.Generator().manual_seed(0)
    memory = native()

    def counted(name: str, answer: Callable[..., Any]) -> None:
        def call(*arguments: Any, **options: Any) -> Any:
            CALLS[name] += 1
            return answer(*arguments, **options)

        setattr(cuda, name, call)

    for name in ("is_available", "is_initialized"):
        counted(name, lambda: True)
    for name in ("_lazy_init", "init", "empty_cache"):
        counted(name, lambda: None)
    counted("device_count", lambda: 1)
    counted("current_device", lambda: 0)
    for name in ("set_device", "synchronize"):
        counted(name, lambda device=None: None)
    counted("get_device_name", lambda device=None: NAME)
    counted("get_device_properties", lambda device=None: Properties())
    counted("get_device_capability", lambda device=None: (9, 0))
    counted("get_arch_list", lambda: ["sm_90"])
    counted("memory_allocated", lambda device=None: memory.now())
    counted("memory_reserved", lambda device=None: memory.now())
    counted("memory_snapshot", lambda *arguments: [])
    for name in ("max_memory_allocated", "max_memory_reserved"):
        counted(name, lambda device=None: memory.peak())
    counted("reset_peak_memory_stats", lambda device=None: memory.reset_peak())
    counted("mem_get_info", lambda device=None: (total - memory.now(), total))
    for name in ("manual_seed", "manual_seed_all"):
        counted(name, lambda seed: generator.manual_seed(seed))
    counted("get_rng_state", lambda device="cuda": generator.get_state())
    counted("set_rng_state", lambda new, device="cuda": generator.set_state(new))
    counted("is_current_stream_capturing", lambda: False)
    counted("current_stream", lambda device=None: Nothing())
    for name in ("device", "stream", "Stream", "Event"):
        setattr(cuda, name, Nothing)
    cuda.graphs._cuda_isCurrentStreamCapturing = lambda: False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.enabled = False
    for name, answer in (("_cuda_getDevice", 0), ("_cuda_exchangeDevice", 0), ("_cuda_maybeExchangeDevice", 0)):
        setattr(torch._C, name, lambda *device, answer=answer: answer)
    torch._C._cuda_setDevice = lambda device: None  # pyright: ignore[reportAttributeAccessIssue]
