"""Batches of a split on the device that trains: preprocessed once where that fits, else from the stored bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.data.realset import RealSet, Split, as_unit_float

FLOAT_LIMIT = 2**30
"""Bytes up to which a split is preprocessed once and kept as float32; every CIFAR and digits split is below."""


class Feed:
    """A split as batches ``(inputs, labels)`` on one device: ``feed[rows]`` with an index tensor or a slice.

    inputs: (B, C, H, W), float32, preprocessed. labels: (B,), int64. A split of at most ``float_limit`` bytes as
    float32 is preprocessed once; a larger one stays as it is stored (uint8), on the device where half its free memory
    holds it, else where it was, memory-mapped perhaps, and is preprocessed batch by batch.
    """

    def __init__(
        self, real: RealSet, split: Split, device: torch.device | str = "cpu", float_limit: int = FLOAT_LIMIT
    ) -> None:
        device = torch.device(device)
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
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

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
        if isinstance(rows, Tensor):
            rows = rows.to(self.labels.device)
        labels = self.labels[rows]
        if self._inputs is not None:
            return self._inputs[rows], labels
        here = rows.to(self._images.device) if isinstance(rows, Tensor) else rows
        return self._preprocess(self._images[here]), labels

    def _preprocess(self, images: Tensor) -> Tensor:
        return self._preprocessing.forward(as_unit_float(images.to(self.labels.device)))

    def _preprocess_all(self) -> Tensor:
        every = torch.empty(self._images.shape, dtype=torch.float32, device=self.labels.device)
        for piece, images in zip(every.split(1024), self._images.split(1024), strict=True):
            piece.copy_(self._preprocess(images))
        return every
