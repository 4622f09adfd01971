"""What the host does: its waits for the device, each with its line of code, and the memory that it pins."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.pretend_cuda.extension import native

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = tuple(f"{ROOT / room}/" for room in ("ddbench", "methods", "evaluate", "expert_buffers"))
"""Folders whose lines of code waits are put down to."""

PINNED: list[tuple[int, ...]] = []
"""Shapes of the blocks that were pinned."""


class Waits(Counter[tuple[str, str, str]]):
    """Numbers of events by kind ("wait" or "copy"), operation, and line of the package that caused it."""

    def of(self, kind: str = "wait") -> dict[str, int]:
        """Numbers of one kind of event by operation and line, the most frequent first."""
        lines: Counter[str] = Counter()
        for (own, operation, line), count in self.items():
            if own == kind:
                lines[f"{operation} at {line}"] += count
        return dict(lines.most_common())

    @property
    def number(self) -> int:
        """Number of waits."""
        return sum(self.of().values())


@contextmanager
def waits() -> Iterator[Waits]:
    """Count, inside the block, what the host waits for, and the copies for which it does not."""
    found = Waits()
    lock = threading.Lock()

    def add(kind: str, operation: str) -> None:
        with lock:
            found[kind, operation, _line()] += 1

    native().watch(add)
    try:
        yield found
    finally:
        native().watch(None)


def _line() -> str:
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE):
            return f"{Path(name).relative_to(ROOT)}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return "a line outside of the package"


def replace_host_memory() -> None:
    """Have pinned memory be plain memory, with its shapes written down, and storages of the device be cloned there."""
    from torch.utils import _device

    _device._device_constructors()  # which remembers the real torch.empty, for ``with torch.device(...)``
    empty, clone = torch.empty, torch.UntypedStorage.clone

    def empty_pinned(*size: Any, pin_memory: bool = False, **options: Any) -> Tensor:
        made = empty(*size, **options)
        if pin_memory:
            PINNED.append(tuple(made.shape))
        return made

    def pin_memory(self: Tensor, device: object = None) -> Tensor:
        PINNED.append(tuple(self.shape))
        return self.clone()

    def clone_storage(self: torch.UntypedStorage) -> torch.UntypedStorage:
        if self.device.type != "cuda":
            return clone(self)
        return empty(0, dtype=torch.uint8, device="cuda").set_(self).clone().untyped_storage()

    torch.empty = empty_pinned
    torch.Tensor.pin_memory = pin_memory
    torch.UntypedStorage.clone = clone_storage
