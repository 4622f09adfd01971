"""Shape of the images that a network takes, with the number of classes that it tells apart."""

from __future__ import annotations

from typing import NamedTuple


class ImageShape(NamedTuple):
    """Shape of images, (channels, size, size), and number of classes, which a network is built for."""

    channels: int
    """Color channels of an image."""
    size: int
    """Side of the square images, in pixels."""
    classes: int
    """Number of classes."""

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of one image, (channels, size, size)."""
        return self.channels, self.size, self.size

    @property
    def pixels(self) -> int:
        """Numbers of one image."""
        return self.channels * self.size**2
