"""MLP, LeNet, AlexNet and VGG11 as the field evaluates with them: forms for 32 pixels (28 by padding) and for 64."""

from __future__ import annotations

from torch import nn

from ddbench.networks.image_network import ImageNetwork, channel_norm, require_one_of, stem_padding

SIZES = (28, 32, 64)


def mlp(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build two hidden layers of 128 units on the flat image.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).
    """
    features = nn.Sequential(
        nn.Flatten(), nn.Linear(channels * size * size, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
    )
    return ImageNetwork(features, nn.Linear(128, classes))


def lenet(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build LeNet-5 with ReLU and max pooling; the first convolution has stride 2 at 64 pixels.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images of other than 28, 32 or 64 pixels.
    """
    require_one_of("lenet", size, SIZES)
    features = nn.Sequential(
        nn.Conv2d(channels, 6, 5, stride=_stem_stride(size), padding=stem_padding(0, size)),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
    )
    return ImageNetwork(features, nn.Linear(84, classes))


def alexnet(*, channels: int, size: int, classes: int, norm: str = "nonorm") -> ImageNetwork:
    """Build five convolutions of 128, 192, 256, 192, 192 filters; the first has stride 2 at 64 pixels.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.
        norm: "nonorm" or "bn".

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images of other than 28, 32 or 64 pixels.
    """
    require_one_of("alexnet" if norm == "nonorm" else "alexnet-bn", size, SIZES)
    layers: list[nn.Module] = []
    entering = channels
    for number, (filters, kernel, pooled) in enumerate(
        [(128, 5, True), (192, 5, True), (256, 3, False), (192, 3, False), (192, 3, True)]
    ):
        padding, stride = kernel // 2, 1
        if number == 0:
            padding, stride = stem_padding(padding, size), _stem_stride(size)
        layers.append(nn.Conv2d(entering, filters, kernel, stride=stride, padding=padding))
        if norm != "nonorm":
            layers.append(channel_norm(norm, filters))
        layers.append(nn.ReLU())
        if pooled:
            layers.append(nn.MaxPool2d(2))
        entering = filters
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(192 * 4 * 4, classes))


def vgg11(*, channels: int, size: int, classes: int, norm: str = "in") -> ImageNetwork:
    """Build VGG11's eight convolutions and a linear layer; a last 2x2 average pooling at 64 pixels.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.
        norm: "in" or "bn".

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images of other than 28, 32 or 64 pixels.
    """
    require_one_of("vgg11" if norm == "in" else "vgg11-bn", size, SIZES)
    layers: list[nn.Module] = []
    entering = channels
    for stage in [(64,), (128,), (256, 256), (512, 512), (512, 512)]:
        for filters in stage:
            padding = stem_padding(1, size) if not layers else 1
            layers += [nn.Conv2d(entering, filters, 3, padding=padding), channel_norm(norm, filters), nn.ReLU()]
            entering = filters
        layers.append(nn.MaxPool2d(2))
    if size == 64:
        layers.append(nn.AvgPool2d(2))
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(512, classes))


def _stem_stride(size: int) -> int:
    return 2 if size == 64 else 1
