"""ResNet10 as IDC evaluates with it: a narrow one for small images, and one that halves by average pooling (AP)."""

from __future__ import annotations

from torch import nn

from ddbench.networks.image_network import ImageNetwork, channel_norm, stem_padding, wrong_size
from ddbench.networks.resnet import SMALLEST, Block


def resnet10(*, channels: int, size: int, classes: int, norm: str = "in", pooled: bool = False) -> ImageNetwork:
    """Build four stages of one block each, and a linear layer on the mean of the last maps.

    The stem is a 3x3 convolution that keeps the size up to 64 pixels, is pooled 2x2 up to 128, and beyond is a 7x7 one
    with a quarter of the size.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.
        norm: "in" or "bn".
        pooled: Whether there are 64, 128, 256, 512 filters, and only average pooling halves (IDC's ResNetAP-10, for
            ImageNet); otherwise 32, 64, 128, 256 filters (its ResNet-10, for CIFAR).

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 16 pixels.

    Source: ``models/resnet.py`` and ``resnet_ap.py`` of snu-mllab/Efficient-Dataset-Condensation, initial weights too.
    """
    name = "resnet10" + ("-ap" if pooled else "") + ("-bn" if norm == "bn" else "")
    if size < SMALLEST:
        raise wrong_size(name, size, f"{SMALLEST} pixels or more")
    entering = 64 if pooled else 32
    layers = _stem(channels, entering, size, norm, pooled)
    for stage in range(4):
        filters = (64 if pooled else 32) << stage
        layers.append(Block(entering, filters, stride=1 if stage == 0 else 2, norm=norm, pooled=pooled))
        entering = filters
    network = ImageNetwork(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)), nn.Linear(entering, classes))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


def _stem(channels: int, filters: int, size: int, norm: str, pooled: bool) -> list[nn.Module]:
    """The first convolution, its norm and ReLU, and a pooling for images above 64 pixels."""
    kernel = 7 if size > 128 else 3
    stride = 2 if size > 128 and not pooled else 1
    padding = stem_padding(kernel // 2, size)
    layers: list[nn.Module] = [
        nn.Conv2d(channels, filters, kernel, stride=stride, padding=padding, bias=False),
        channel_norm(norm, filters),
        nn.ReLU(),
    ]
    if size > 64:
        layers.append(nn.AvgPool2d(4 if size > 128 else 2) if pooled else nn.MaxPool2d(3, 2, 1))
    return layers
