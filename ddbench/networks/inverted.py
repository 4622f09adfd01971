"""MobileNetV2 and EfficientNet-B0 as they are drawn for CIFAR: networks of inverted residual blocks.

Stems keep the size, whatever it is; 28 pixels are padded to 32. At 32 pixels the last maps are 4x4, at 64 they are 8x8.
Source: the networks of pytorch-cifar, as zhangxin-xd/UFC (INFER) trains them for teachers; torch's initial weights.
Every layer that is there is used, so every batch norm sees every image.
"""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from ddbench.networks.image_network import ImageNetwork, require_at_least, stem_padding

SMALLEST = 28
MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of each stage: expansion, filters, blocks, stride of the first block."""

EFFICIENTNET = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Of each stage: expansion, filters, blocks, stride of the first block, kernel."""

DROPPED = 0.2
"""EfficientNet's dropout before the last layer; towards the last block its shortcuts go alone nearly as often."""


@final
class InvertedResidual(nn.Module):
    """A branch, and a shortcut that is added to it where there is one.

    Args:
        branch: Layers of the branch.
        shortcut: Layers of the shortcut; None for a branch that stands alone.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, maps: Tensor) -> Tensor:
        return self.branch(maps) if self.shortcut is None else self.branch(maps) + self.shortcut(maps)


@final
class SqueezeExcitation(nn.Module):
    """Maps weighed by a small network of the means of all maps.

    Args:
        filters: Maps.
        hidden: Units between.
    """

    def __init__(self, filters: int, hidden: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(filters, hidden, 1),
            nn.SiLU(),
            nn.Conv2d(hidden, filters, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weigh(maps)


def mobilenet_v2_cifar(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build MobileNetV2 with ReLU.

    A block of stride 1 has a shortcut, with a 1x1 convolution where filters change.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    require_at_least("mobilenet-v2-cifar", size, SMALLEST)
    layers: list[nn.Module] = [*conv_bn(channels, 32, 3, padding=stem_padding(1, size)), nn.ReLU()]
    entering = 32
    for expansion, filters, blocks, first_stride in MOBILENET:
        for stride in (first_stride, *[1] * (blocks - 1)):
            hidden = expansion * entering
            branch = nn.Sequential(
                *conv_bn(entering, hidden, 1),
                nn.ReLU(),
                *conv_bn(hidden, hidden, 3, stride=stride, padding=1, groups=hidden),
                nn.ReLU(),
                *conv_bn(hidden, filters, 1),
            )
            through = nn.Identity() if entering == filters else nn.Sequential(*conv_bn(entering, filters, 1))
            layers.append(InvertedResidual(branch, through if stride == 1 else None))
            entering = filters
    layers += [*conv_bn(entering, 1280, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(1280, classes))


def efficientnet_b0_cifar(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build EfficientNet-B0 with squeeze and excitation and SiLU.

    A block that keeps shape and filters has a shortcut. Block b of the 16 leaves out its branch, image by image, with
    probability 0.2 b / 16 while it is trained. Differs from the source: there b is never counted, so no branch is left
    out; the first block has no expansion, and no parameters for one, which the source holds unused (1,088 of them).

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision.ops import StochasticDepth

    require_at_least("efficientnet-b0-cifar", size, SMALLEST)
    layers: list[nn.Module] = [*conv_bn(channels, 32, 3, padding=stem_padding(1, size)), nn.SiLU()]
    entering, number, of = 32, 0, sum(stage[2] for stage in EFFICIENTNET)
    for expansion, filters, blocks, first_stride, kernel in EFFICIENTNET:
        for stride in (first_stride, *[1] * (blocks - 1)):
            hidden, whole = expansion * entering, stride == 1 and entering == filters
            branch = nn.Sequential(
                *([*conv_bn(entering, hidden, 1), nn.SiLU()] if expansion > 1 else []),
                *conv_bn(hidden, hidden, kernel, stride=stride, padding=kernel // 2, groups=hidden),
                nn.SiLU(),
                SqueezeExcitation(hidden, entering // 4),
                *conv_bn(hidden, filters, 1),
                *([StochasticDepth(DROPPED * number / of, "row")] if whole else []),
            )
            layers.append(InvertedResidual(branch, nn.Identity() if whole else None))
            entering, number = filters, number + 1
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(DROPPED)]
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(entering, classes))


def conv_bn(
    entering: int, filters: int, kernel: int, *, stride: int = 1, padding: int = 0, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Build a convolution without bias, and batch norm.

    Args:
        entering: Maps of the input.
        filters: Maps of the output.
        kernel: Side of the kernel.
        stride: Stride of the convolution.
        padding: Pixels on each side.
        groups: Groups of the convolution.

    Returns:
        The two layers.
    """
    conv = nn.Conv2d(entering, filters, kernel, stride=stride, padding=padding, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(filters)
