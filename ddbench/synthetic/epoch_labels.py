"""Labels that a teacher gave every image in every epoch, with the view of it that the student is to see again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Mixed = Literal["none", "cutmix", "mixup"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EpochLabels:
    """Labels and views that fast knowledge distillation stores: E epochs of S views each, in batches, and the logits of
    each view.

    Raises:
        ValueError: Shapes disagree, there is no view, a crop is outside its image, a share outside [0, 1], a partner of
            another batch, or a box upside down.

    Source: Shen and Xing 2022 (arXiv:2112.01528), as SRe2L stores them.
    """

    order: Tensor
    """(E, S), int64, the images in the order they are shown."""
    coords: Tensor
    """(E, S, 4), float32, the crop of each view as fractions of the image: top, left, height, width."""
    flips: Tensor
    """(E, S), bool, whether it is mirrored after that."""
    partners: Tensor
    """(E, S), int64, the position in the same epoch of the view that is mixed into it; itself where none is."""
    lam: Tensor
    """(E, B), float32, the share that each view keeps, one number a batch."""
    boxes: Tensor
    """(E, B, 4), int64, the part that CutMix takes from the partner, in pixels: left, top, right, bottom; zeros for
    mixup."""
    logits: Tensor
    """(E, S, K), float16 or float32, of the mixed view."""
    batch: int
    """Views a batch, the last may be smaller."""
    mixing: Mixed
    """How views are mixed: "none", "cutmix" or "mixup"."""

    def __post_init__(self) -> None:
        if self.mixing not in get_args(Mixed) or self.batch < 1:
            raise ValueError(f"epoch labels can not have mixing {self.mixing!r} and batches of {self.batch}")
        if self.order.ndim != 2 or self.logits.ndim != 3 or not self.order.numel():
            raise ValueError("epoch labels need at least one epoch of one view")
        shown, batches = tuple(self.order.shape), (self.epochs, self.batches)
        for name, tensor, wanted in (
            ("coords", self.coords, (*shown, 4)),
            ("flips", self.flips, shown),
            ("partners", self.partners, shown),
            ("lam", self.lam, batches),
            ("boxes", self.boxes, (*batches, 4)),
            ("logits", self.logits, (*shown, self.logits.shape[-1])),
        ):
            if tuple(tensor.shape) != wanted:
                raise ValueError(f"{name} of epoch labels has shape {tuple(tensor.shape)} instead of {wanted}")
        if {name for name, tensor in self.tensors().items() if tensor.is_floating_point()} != _FRACTIONS:
            raise ValueError(f"of epoch labels {', '.join(sorted(_FRACTIONS))} are fractions, and nothing else is")
        for wrong, what in self._wrong():
            if bool(wrong.any()):
                raise ValueError(f"{what} in epoch labels")

    def _wrong(self) -> Iterator[tuple[Tensor, str]]:
        """What may be wrong with the values, and where it is."""
        batch_of = torch.arange(self.order.shape[1], device=self.partners.device) // self.batch
        corner, side = self.coords[..., :2], self.coords[..., 2:]
        outside = (corner < -_SLACK) | (side <= 0) | (corner + side > 1 + _SLACK)
        yield self.order < 0, "an image has a number below 0"
        yield self.partners.div(self.batch, rounding_mode="floor") != batch_of, "a partner is of another batch"
        yield self.partners >= self.order.shape[1], "a partner is not a view of its epoch"
        yield ~self.coords.isfinite().all(-1, keepdim=True) | outside, "a crop is not within its image"
        yield ~((self.lam >= 0) & (self.lam <= 1)), "a share is not in [0, 1]"
        yield (self.boxes[..., :2] < 0) | (self.boxes[..., 2:] < self.boxes[..., :2]), "a box is upside down"

    @property
    def epochs(self) -> int:
        return len(self.order)

    @property
    def batches(self) -> int:
        """Batches an epoch."""
        return -(-self.order.shape[1] // self.batch)

    @property
    def bytes(self) -> int:
        """What they cost to store: labels and all that is needed to see the same views again."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """List the tensors for a file.

        Returns:
            Tensors by name.
        """
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _PLAIN}

    def document(self) -> dict[str, Any]:
        """Describe what is no tensor.

        Returns:
            JSON.
        """
        return {name: getattr(self, name) for name in _PLAIN}

    def to(self, device: torch.device | str) -> EpochLabels:
        """Copy to a device.

        Args:
            device: Where the tensors go.

        Returns:
            The copy.
        """
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return EpochLabels(**moved, **self.document())


_PLAIN = ("batch", "mixing")
_FRACTIONS = {"coords", "lam", "logits"}
_SLACK = 1e-3
"""How far beyond the image rounding may bring a crop."""


def epoch_labels_from(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> EpochLabels:
    """Rebuild epoch labels from a file.

    Args:
        tensors: What :meth:`EpochLabels.tensors` wrote.
        document: What :meth:`EpochLabels.document` wrote.

    Returns:
        The labels.

    Raises:
        KeyError, TypeError, ValueError: Something is missing, unknown or does not fit.
    """
    attributes: dict[str, Any] = {**tensors, **document}
    return EpochLabels(**attributes)
