"""Training experts on real data, and the store in which their trajectories lie."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.expert_buffers.buffer import ExpertBuffer
    from ddbench.expert_buffers.expert_training import buffer_bytes, train_experts
    from ddbench.expert_buffers.metadata import BufferDescription, describe_buffer
    from ddbench.expert_buffers.replay_buffer import export_replay_buffer, import_replay_buffer

_HOME = {
    "BufferDescription": "metadata",
    "describe_buffer": "metadata",
    "export_replay_buffer": "replay_buffer",
    "import_replay_buffer": "replay_buffer",
    "buffer_bytes": "expert_training",
    "train_experts": "expert_training",
    "ExpertBuffer": "buffer",
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
