"""Training experts on real data, and the store in which their trajectories lie."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.expert_buffers.description import BufferDescription, describe_buffer
    from ddbench.expert_buffers.legacy import export_replay_buffer, import_replay_buffer
    from ddbench.expert_buffers.record import buffer_bytes, train_experts
    from ddbench.expert_buffers.store import ExpertBuffer

_HOME = {
    "BufferDescription": "description",
    "describe_buffer": "description",
    "export_replay_buffer": "legacy",
    "import_replay_buffer": "legacy",
    "buffer_bytes": "record",
    "train_experts": "record",
    "ExpertBuffer": "store",
}

__all__ = [
    "BufferDescription",
    "ExpertBuffer",
    "buffer_bytes",
    "describe_buffer",
    "export_replay_buffer",
    "import_replay_buffer",
    "train_experts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ddbench.expert_buffers.{_HOME[name]}"), name)
