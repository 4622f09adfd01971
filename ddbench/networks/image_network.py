"""Base of ddbench's own image networks: features, one linear layer on top, and 28 pixels seen as 32."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from ddbench.errors import UserError


@final
class ImageNetwork(nn.Module):
    """Features of an image and a linear classifier on them.

    Args:
        features: Maps (B, C, H, W) to (B, F) once flattened.
        classifier: Maps (B, F) to logits (B, K).
    """

    def __init__(self, features: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def embed(self, images: Tensor) -> Tensor:
        """Compute what the classifier sees.

        Args:
            images: (B, C, H, W).

        Returns:
            (B, F).
        """
        return self.features(images).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.embed(images))


def stem_padding(usual: int, size: int) -> int:
    """Choose the padding of the first convolution: two pixels more on each side for 28-pixel images, so that they fill
    32.

    Args:
        usual: Padding for other sizes, in pixels.
        size: Side of the images, in pixels.

    Returns:
        Pixels on each side.
    """
    return usual + 2 if size == 28 else usual


def channel_norm(norm: str, channels: int) -> nn.Module:
    """Build a norm of maps.

    Args:
        norm: "in" for instance norm, that is one group a channel, affine, eps 1e-5; "bn" for batch norm.
        channels: Maps.

    Returns:
        The layer.
    """
    return nn.BatchNorm2d(channels) if norm == "bn" else nn.GroupNorm(channels, channels)


def require_one_of(name: str, size: int, sizes: tuple[int, ...]) -> None:
    """Refuse images of a size for which a network has no form.

    Args:
        name: Name of the network.
        size: Side of the images, in pixels.
        sizes: Sides that it takes.

    Raises:
        UserError: Another size.
    """
    if size not in sizes:
        raise wrong_size(name, size, f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]} pixels")


def require_at_least(name: str, size: int, smallest: int) -> None:
    """Refuse images that are too small for a network.

    Args:
        name: Name of the network.
        size: Side of the images, in pixels.
        smallest: Least side that it takes.

    Raises:
        UserError: Fewer pixels a side.
    """
    if size < smallest:
        raise wrong_size(name, size, f"{smallest} pixels or more")


def wrong_size(name: str, size: int, takes: str) -> UserError:
    """Make the error for images that a network has no form for.

    Args:
        name: Name of the network.
        size: Side of the images, in pixels.
        takes: Sizes that it takes, in words.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"network {name!r} does not take {size}-pixel images",
        f"takes {takes}",
        fix="choose convnet-d<depth> or mlp, which take every size, or another size of image",
    )
