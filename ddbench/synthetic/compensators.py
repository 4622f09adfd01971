"""Compensators: one tensor of the shape of an image that is added to natural images of all classes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ddbench.data.preprocessing import channelwise, seen_value


@dataclass(frozen=True, eq=False, kw_only=True)
class Compensation:
    """Compensators that INFER adds to natural images, K of each class.

    Raises:
        ValueError: Shapes disagree, where there is nothing to train on, and for numbers that are not finite.

    Source: Zhang et al. 2024 (INFER, arXiv:2408.06927).
    """

    compensators: Tensor
    """(M, K, G, C, H, W), float16, in the space of the set's preprocessing, of M teachers; G is 1 where all classes
    share one, else the number of classes. M may be 0."""
    rows: Tensor
    """(K * classes,), int64, where the natural images are in the training split."""
    natural: bool = True
    """Whether the natural images are trained on as they are, beside the sums."""

    def __post_init__(self) -> None:
        if self.compensators.ndim != 6 or self.rows.ndim != 1:
            raise ValueError(f"compensators of shape {tuple(self.compensators.shape)}, rows {tuple(self.rows.shape)}")
        if self.blocks == 0:
            raise ValueError("neither natural images nor compensators are trained on")
        if not bool(self.compensators.isfinite().all()):
            raise ValueError("a compensator has a number that is not finite")

    @property
    def teachers(self) -> int:
        """M."""
        return len(self.compensators)

    @property
    def blocks(self) -> int:
        """How many images are trained on for each natural one."""
        return self.natural + self.teachers

    def check_compatible(self, images: Tensor, classes: int) -> None:
        """Refuse natural images to which the compensators can not be added.

        Args:
            images: Natural images, (K * classes, C, H, W).
            classes: Number of classes.

        Raises:
            ValueError: Shapes or counts disagree.
        """
        _, sets, groups, *shape = self.compensators.shape
        if len(images) != len(self.rows) or list(images.shape[1:]) != shape or groups not in (1, classes):
            raise ValueError(f"compensators of shape {tuple(self.compensators.shape)} beside {tuple(images.shape)}")
        if len(images) != sets * classes:
            raise ValueError(f"{len(images)} natural images are not {sets} of each of {classes} classes")

    def tensors(self) -> dict[str, Tensor]:
        """List the tensors for a file.

        Returns:
            Tensors by name.
        """
        return {"compensators": self.compensators, "rows": self.rows}

    def to(self, device: torch.device | str) -> Compensation:
        """Copy to a device.

        Args:
            device: Where the tensors go.

        Returns:
            The copy.
        """
        return replace(self, **{name: tensor.to(device) for name, tensor in self.tensors().items()})


def rendered(images: Tensor, compensation: Compensation, space: Mapping[str, Any], rows: Tensor) -> Tensor:
    """Render some of the images that are trained on; of all, the natural block comes first, then one a teacher.

    Args:
        images: Natural images, (K * classes, C, H, W), set after set, within a set by class; float, in the space that
            ``space`` describes, or pixels, uint8.
        compensation: What is added to them.
        space: ``Preprocessing.describe()``.
        rows: (n,), int64, on the device of the images, in 0 .. blocks * K * classes - 1.

    Returns:
        (n, C, H, W), float32; a sum is clamped to what pixels can be.
    """
    of_natural, block = rows % len(images), rows // len(images) - int(compensation.natural)
    natural = seen_pixels(images[of_natural], space)
    teachers, sets, groups = compensation.compensators.shape[:3]
    if teachers == 0:
        return natural
    classes = len(images) // sets
    group = of_natural % classes if groups > 1 else torch.zeros_like(of_natural)
    added = compensation.compensators[block.clamp(min=0), of_natural // classes, group]
    black, white = (seen_value(space, value, natural) for value in (0.0, 1.0))
    sums = (natural + added.to(natural)).clamp(black, white)
    return torch.where((block < 0).view(-1, 1, 1, 1), natural, sums)


def seen_pixels(images: Tensor, space: Mapping[str, Any]) -> Tensor:
    """Turn images into what networks see.

    Args:
        images: (n, C, H, W); pixels, uint8, go through the preprocessing that ``space`` describes, others stay.
        space: ``Preprocessing.describe()``.

    Returns:
        (n, C, H, W), float32.
    """
    if images.dtype != torch.uint8:
        return images
    return channelwise(space).to(images.device).forward(images.float().div(255))


def compensation_from(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> Compensation:
    """Rebuild a compensation from a file.

    Args:
        tensors: What :meth:`Compensation.tensors` wrote.
        document: Description, with "natural".

    Returns:
        The compensation.

    Raises:
        KeyError: A part is missing.
        ValueError: Parts disagree.
    """
    return Compensation(compensators=tensors["compensators"], rows=tensors["rows"], natural=bool(document["natural"]))
