"""Batches of a split on the device that trains: preprocessed once where that fits, else from the stored bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import Split, as_unit_float
from ddbench.runtime.available_memory import free_bytes

FLOAT_LIMIT = 2**30
"""Bytes up to which a split is preprocessed once and kept as float32; every CIFAR and digits split is below."""

Rows = Tensor | slice


class Preprocessed(Protocol):
    """Anything that knows how its images are preprocessed, as a real set does."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The map from images in [0, 1] to what networks see."""
        ...


class ImageLoader:
    """A split as batches ``(inputs, labels)`` on one device: ``loader[rows]`` with an index tensor or a slice.

    Inputs are (B, C, H, W), float32, preprocessed; labels (B,), int64. A split of at most ``float_limit`` bytes as
    float32 is preprocessed once; a larger one stays as it is stored (uint8), on the device where half its free memory
    holds it, else where it was, memory-mapped perhaps, and is preprocessed batch by batch. ``streams`` tells whether
    batches are read where the split is stored; then :meth:`batches` reads ahead.

    Args:
        real: The set, whose preprocessing applies.
        split: Stored images and labels.
        device: Device of the batches.
        float_limit: Bytes up to which a split is preprocessed once.
    """

    def __init__(
        self, real: Preprocessed, split: Split, device: torch.device | str = "cpu", float_limit: int = FLOAT_LIMIT
    ) -> None:
        device = torch.device(device)
        free = free_bytes(device) if device.type == "cuda" else None
        float_bytes = 4 * split.images.numel()
        stored_bytes = split.images.numel() * split.images.element_size()
        self.labels = split.labels.to(device)
        self._preprocessing = real.preprocessing.to(device)
        self._inputs: Tensor | None = None
        self._images = split.images
        if free is None or stored_bytes <= free / 2:
            self._images = split.images.to(device)
        if float_bytes <= float_limit and (free is None or float_bytes <= free / 4):
            self._inputs = self._preprocess_all()
        self.streams = self._inputs is None and self._images.device.type == "cpu"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Rows) -> tuple[Tensor, Tensor]:
        if isinstance(rows, Tensor):
            rows = rows.to(self.labels.device)
        if self._inputs is not None:
            return self._inputs[rows], self.labels[rows]
        here = rows.to(self._images.device) if isinstance(rows, Tensor) else rows
        return self._preprocess(self._images[here]), self.labels[rows]

    def batches(self, order: Iterable[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Read batches in an order.

        A split that streams has its next batch read meanwhile, by one thread, to page-locked memory where the device is
        a GPU: two batches are held, never more.

        Args:
            order: Rows of each batch.

        Yields:
            Inputs (B, C, H, W), float32, and labels (B,), int64, on the device.
        """
        if not self.streams:
            yield from (self[rows] for rows in order)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="read ahead") as reader:
            ahead: tuple[Rows, Future[Tensor]] | None = None
            for rows in order:
                coming = rows, reader.submit(self._read, rows)
                if ahead is not None:
                    yield self._made(*ahead)
                ahead = coming
            if ahead is not None:
                yield self._made(*ahead)

    def _read(self, rows: Rows) -> Tensor:
        """The stored bytes of these rows, which the disk may have to be waited for."""
        read = self._images[rows.cpu() if isinstance(rows, Tensor) else rows]
        if self.labels.is_cuda:
            return read.pin_memory()
        return read if isinstance(rows, Tensor) else read.clone()

    def _made(self, rows: Rows, read: Future[Tensor]) -> tuple[Tensor, Tensor]:
        rows = rows.to(self.labels.device) if isinstance(rows, Tensor) else rows
        return self._preprocess(read.result()), self.labels[rows]

    def _preprocess(self, images: Tensor) -> Tensor:
        return self._preprocessing.forward(as_unit_float(images.to(self.labels.device, non_blocking=True)))

    def _preprocess_all(self) -> Tensor:
        every = torch.empty(self._images.shape, dtype=torch.float32, device=self.labels.device)
        for piece, images in zip(every.split(1024), self._images.split(1024), strict=True):
            piece.copy_(self._preprocess(images))
        return every


def loader_bytes(images: int, pixels: int) -> int:
    """Estimate what a loader keeps of its own on the CPU.

    Args:
        images: Images of the split.
        pixels: Numbers of an image.

    Returns:
        Bytes; 0 for a split that stays as it is stored.
    """
    whole = 4 * images * pixels
    return whole if whole <= FLOAT_LIMIT else 0
