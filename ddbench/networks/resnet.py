"""ResNet18 for small images, with instance or batch norm, halving by stride or by average pooling (AP)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.networks.classic import SIZES
from ddbench.networks.image_network import ImageNetwork, channel_norm, require_one_of, stem_padding, wrong_size

SMALLEST = 16  # below it the last maps are single pixels, which instance norm sets to zero


@final
class Block(nn.Module):
    """Two 3x3 convolutions, and a shortcut that is added to them.

    Args:
        entering: Maps of the input.
        filters: Maps of the output.
        stride: 1 or 2.
        norm: "in" or "bn".
        pooled: Whether average pooling halves, instead of stride.
    """

    def __init__(self, entering: int, filters: int, *, stride: int, norm: str, pooled: bool) -> None:
        super().__init__()
        taken = 1 if pooled else stride
        halve: list[nn.Module] = [nn.AvgPool2d(2)] if pooled and stride == 2 else []
        self.first = nn.Sequential(
            nn.Conv2d(entering, filters, 3, stride=taken, padding=1, bias=False),
            channel_norm(norm, filters),
            nn.ReLU(),
            *halve,
        )
        self.second = nn.Sequential(
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            channel_norm(norm, filters),
        )
        self.shortcut = nn.Sequential()
        if stride == 2 or entering != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(entering, filters, 1, stride=taken, bias=False), *halve, channel_norm(norm, filters)
            )

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.second(self.first(maps)) + self.shortcut(maps))


def resnet18(*, channels: int, size: int, classes: int, norm: str = "in", pooled: bool = False) -> ImageNetwork:
    """Build four stages of two blocks with 64, 128, 256, 512 filters after a 3x3 stem, which halves from 64 pixels on.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.
        norm: "in" or "bn".
        pooled: Whether it is the AP form, in which every strided convolution is a convolution and an average pooling,
            and the classifier sees the last 4x4 maps whole instead of their mean.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 16 pixels; for the AP form, of other than 28, 32 or 64.
    """
    name = "resnet18" + ("-ap" if pooled else "") + ("-bn" if norm == "bn" else "")
    if pooled:
        require_one_of(name, size, SIZES)
    elif size < SMALLEST:
        raise wrong_size(name, size, f"{SMALLEST} pixels or more")
    halved = size >= 64
    layers: list[nn.Module] = [
        nn.Conv2d(channels, 64, 3, stride=2 if halved and not pooled else 1, padding=stem_padding(1, size), bias=False),
        channel_norm(norm, 64),
        nn.ReLU(),
    ]
    if halved and pooled:
        layers.append(nn.AvgPool2d(2))
    entering = 64
    for filters in (64, 128, 256, 512):
        for number in range(2):
            stride = 2 if filters > 64 and number == 0 else 1
            layers.append(Block(entering, filters, stride=stride, norm=norm, pooled=pooled))
            entering = filters
    if pooled:
        return ImageNetwork(nn.Sequential(*layers), nn.Linear(512 * 4 * 4, classes))
    return ImageNetwork(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)), nn.Linear(512, classes))
