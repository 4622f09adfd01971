"""NCCL as gloo on copies: two processes with LOCAL_RANK=0 are two machines with a GPU each."""

from __future__ import annotations

import threading
from typing import Any

import torch.distributed as dist
from torch import Tensor

from helpers.pretend_cuda.cuda_api import CALLS


def replace_nccl() -> None:
    """Have process groups of NCCL work by gloo, on copies in the CPU's memory."""
    begin = dist.init_process_group

    def init_process_group(backend: str | None = None, *arguments: Any, **options: Any) -> None:
        begin("gloo" if backend == "nccl" else backend, *arguments, **options)

    dist.init_process_group = init_process_group
    for name in ("all_reduce", "broadcast"):
        _replace(name)


def _replace(name: str) -> None:
    plain = getattr(dist, name)

    def collective(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
        if not tensor.is_cuda:
            return plain(tensor, *arguments, **options)
        inside = "" if threading.current_thread() is threading.main_thread() else " in autograd's thread"
        CALLS[f"nccl {name}{inside}"] += 1
        copy = tensor.cpu()
        plain(copy, *arguments, **options)
        tensor.copy_(copy)

    setattr(dist, name, collective)
