"""CutMix and MixUp: a batch mixed with a shuffled copy of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddbench.evaluate.protocols.protocol import TrainingConfig
from ddbench.evaluate.training.checkpoint import Stream
from ddbench.randomness import derive, stream


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixture of a batch with itself."""

    partners: Tensor
    """(B,), int64, which image of the batch each is mixed with."""
    share: float
    """Weight of each image's own label, in [0, 1]."""
    box: tuple[int, int, int, int] | None = None
    """What CutMix takes from the partner: left, top, right, bottom in pixels; None for MixUp."""

    def apply(self, images: Tensor) -> Tensor:
        """Mix images with their partners.

        Args:
            images: (B, C, H, W); they stay as they are.

        Returns:
            The mixed images, (B, C, H, W).
        """
        if self.box is None:
            return self.share * images + (1 - self.share) * images[self.partners]
        left, top, right, bottom = self.box
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[self.partners, :, top:bottom, left:right]
        return mixed


class Mixer:
    """Draws mixtures as a course says. Shares and boxes are decisions of the CPU; nobody waits for a device."""

    def __init__(self, config: TrainingConfig, seed: int, device: torch.device) -> None:
        self.kind, self.alpha, self.probability = config.mixing, config.mix_alpha, config.mix_probability
        self._decide = np.random.default_rng(derive(seed, "evaluation", "mixing"))
        self._shuffle = stream(seed, "evaluation", "mixing partners", device=device)

    @property
    def streams(self) -> dict[str, Stream]:
        """Generators that it draws from, by name."""
        return {"mixing": self._decide, "mixing partners": self._shuffle}

    def draw(self, count: int, side: int) -> Mixture | None:
        """Draw the mixture of a batch.

        Args:
            count: Images of the batch.
            side: Pixels along a side.

        Returns:
            The mixture; None for a batch that is left alone.
        """
        if self.kind == "none" or self._decide.random() >= self.probability:
            return None
        share = float(self._decide.beta(self.alpha, self.alpha))
        partners = torch.randperm(count, generator=self._shuffle, device=self._shuffle.device)
        if self.kind == "mixup":
            return Mixture(partners, share)
        x, y = (int(self._decide.integers(side)) for _ in range(2))
        box = cut_box(share, side, x, y)
        return Mixture(partners, 1 - (box[2] - box[0]) * (box[3] - box[1]) / side**2, box)


def cut_box(share: float, side: int, x: int, y: int) -> tuple[int, int, int, int]:
    """Square about a point that takes ``1 - share`` of an image, cut at the image's edges.

    Args:
        share: Share of the image that stays, in [0, 1].
        side: Pixels along a side of the image.
        x: Column of the middle.
        y: Row of the middle.

    Returns:
        Left, top, right and bottom; the last two are outside.

    Source: Yun et al. 2019 (arXiv:1905.04899); sides are rounded down, halves too.
    """
    half = int(side * math.sqrt(1 - share)) // 2
    left, right = max(x - half, 0), min(x + half, side)
    top, bottom = max(y - half, 0), min(y + half, side)
    return left, top, right, bottom
