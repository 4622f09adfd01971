"""A split of a real set with the preprocessing that networks see it through, and nothing else of the set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ddbench.data.loader import ImageLoader
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import Split


@dataclass(frozen=True, eq=False)
class RealSplit:
    """Real images that networks are trained or tested on; all that travels to a worker of a real set."""

    split: Split
    """Images as they are stored, and their classes."""
    preprocessing: Preprocessing
    """Map from stored images to what networks see."""
    device: torch.device
    """Device of the batches."""

    def __len__(self) -> int:
        return len(self.split)

    def to(self, device: torch.device | str) -> RealSplit:
        """Give the batches on another device.

        Args:
            device: Device of the batches; the stored images stay on theirs.

        Returns:
            The split; itself where its batches are there already.
        """
        device = torch.device(device)
        return self if device == self.device else replace(self, device=device)

    @cached_property
    def loader(self) -> ImageLoader:
        """Batches on the device, preprocessed once where that fits."""
        return ImageLoader(self, self.split, self.device)

    def __getstate__(self) -> dict[str, object]:
        return {"split": self.split, "preprocessing": self.preprocessing.to("cpu"), "device": self.device}
