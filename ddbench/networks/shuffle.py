"""The first ShuffleNet as it is drawn for CIFAR: 1x1 convolutions in groups, and a shuffle of channels between them."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddbench.networks.image_network import ImageNetwork, require_at_least, stem_padding
from ddbench.networks.inverted import SMALLEST, conv_bn

STEM = 24
STAGES = ((200, 4), (400, 8), (800, 4))
"""Of each stage: filters, blocks; the first block halves."""


@final
class ShuffleUnit(nn.Module):
    """A bottleneck of a quarter of the width, added to its shortcut, or joined to the shortcut's average pooling.

    Args:
        entering: Maps of the input.
        filters: Maps of the output.
        halves: Whether it halves; its filters are then those of its branch and the ``entering`` ones of the shortcut.
        groups: Groups of both 1x1 convolutions, but one group sees the maps of the stem.
    """

    def __init__(self, entering: int, filters: int, *, halves: bool, groups: int) -> None:
        super().__init__()
        made = filters - entering if halves else filters
        hidden, first_groups = made // 4, 1 if entering == STEM else groups
        self.branch = nn.Sequential(
            *conv_bn(entering, hidden, 1, groups=first_groups),
            nn.ReLU(),
            nn.ChannelShuffle(first_groups),
            *conv_bn(hidden, hidden, 3, stride=2 if halves else 1, padding=1, groups=hidden),
            nn.ReLU(),
            *conv_bn(hidden, made, 1, groups=groups),
        )
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if halves else None

    def forward(self, maps: Tensor) -> Tensor:
        if self.pool is None:
            return F.relu(self.branch(maps) + maps)
        return F.relu(torch.cat((self.branch(maps), self.pool(maps)), 1))


def shufflenet_g2_cifar(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build ShuffleNet of two groups behind a 1x1 stem; three stages halve, so that 32 pixels end as 4x4 maps.

    28 pixels are padded to 32.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.

    Source: as :mod:`ddbench.networks.inverted`.
    """
    require_at_least("shufflenet-g2-cifar", size, SMALLEST)
    layers: list[nn.Module] = [*conv_bn(channels, STEM, 1, padding=stem_padding(0, size)), nn.ReLU()]
    entering = STEM
    for filters, units in STAGES:
        for number in range(units):
            layers.append(ShuffleUnit(entering, filters, halves=number == 0, groups=2))
            entering = filters
    return ImageNetwork(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)), nn.Linear(entering, classes))
