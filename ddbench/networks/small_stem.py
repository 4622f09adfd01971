"""Networks of torchvision behind a stem for small images: from 128 pixels on they are torchvision's own.

Below 64 pixels the first convolution is 3x3, keeps the size and nothing pools after it; 28 pixels are padded to 32.
From 64 to 127 pixels it is 3x3 and halves, and nothing pools. From 128 pixels on, or from 64 where torchvision has a
3x3 stem without pooling (MobileNet, EfficientNet), the stem is torchvision's. What follows the stem, the initial
weights and the dropout before the last layer are torchvision's at every size. The networks for CIFAR keep the size in
their stems whatever it is.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from ddbench.networks.image_network import ImageNetwork, require_at_least, stem_padding

SMALLEST = 28
HALVES, POOLS = 64, 128
Fan = Literal["fan_in", "fan_out"]


def resnet_bottleneck(*, channels: int, size: int, classes: int, depth: int) -> ImageNetwork:
    """Build ResNet of bottleneck blocks with batch norm.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.
        depth: 50 or 101.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision import models

    require_at_least(f"resnet{depth}-bn", size, SMALLEST)
    whole = (models.resnet50 if depth == 50 else models.resnet101)(num_classes=classes)
    stem = _stem(whole.conv1, channels, size, fan="fan_out")
    stages = (whole.layer1, whole.layer2, whole.layer3, whole.layer4)
    return _network(stem, whole.bn1, whole.relu, *_pooling(whole.maxpool, size), *stages, head=whole.fc)


def resnet18_cifar(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build ResNet18 with batch norm behind a 3x3 stem that keeps every size: the first teacher of decoupled methods.

    Up to 63 pixels its layers are those of ``resnet18-bn``, whose stem halves from 64 on, with other initial weights.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.

    Source: pretrain/squeeze_cifar10.py of AngusDujw/Diversity-Driven-Synthesis.
    """
    from torchvision import models

    require_at_least("resnet18-cifar", size, SMALLEST)
    whole = models.resnet18(num_classes=classes)
    stem = nn.Conv2d(channels, 64, 3, padding=stem_padding(1, size), bias=False)
    return _network(stem, whole.bn1, whole.relu, whole.layer1, whole.layer2, whole.layer3, whole.layer4, head=whole.fc)


def densenet_cifar(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build DenseNet-BC of blocks of 6, 12, 24, 16 layers with growth 12: the small DenseNet that IDC evaluates with.

    Differs from IDC's: a norm and a ReLU after the stem, as torchvision has them.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision import models

    require_at_least("densenet-cifar", size, SMALLEST)
    whole = models.DenseNet(growth_rate=12, block_config=(6, 12, 24, 16), num_init_features=24, num_classes=classes)
    parts = dict(whole.features.named_children())
    stem = _stem(parts.pop("conv0"), channels, size, fan="fan_in")
    pooling = _pooling(parts.pop("pool0"), size)
    norm, relu = parts.pop("norm0"), parts.pop("relu0")
    return _network(stem, norm, relu, *pooling, *parts.values(), nn.ReLU(), head=whole.classifier)


def mobilenet_v2(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build MobileNetV2 of width 1, dropout 0.2.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision import models

    require_at_least("mobilenet-v2", size, SMALLEST)
    return _with_dropout(models.mobilenet_v2(num_classes=classes), channels, size)


def efficientnet_b0(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build EfficientNet-B0, dropout and stochastic depth 0.2.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision import models

    require_at_least("efficientnet-b0", size, SMALLEST)
    return _with_dropout(models.efficientnet_b0(num_classes=classes), channels, size)


def shufflenet_v2(*, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build ShuffleNetV2 of half width (x0.5), the one that decoupled methods evaluate with.

    Args:
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images below 28 pixels.
    """
    from torchvision import models

    require_at_least("shufflenet-v2", size, SMALLEST)
    whole = models.shufflenet_v2_x0_5(num_classes=classes)
    usual, norm, relu = whole.conv1
    stem = _stem(usual, channels, size, fan=None)
    stages = (whole.stage2, whole.stage3, whole.stage4, whole.conv5)
    return _network(stem, norm, relu, *_pooling(whole.maxpool, size), *stages, head=whole.fc)


def _with_dropout(whole: nn.Module, channels: int, size: int) -> ImageNetwork:
    """A network of ``features`` whose first block is the stem, and a ``classifier`` of dropout and a linear layer."""
    first, *blocks = whole.get_submodule("features").children()
    stem, *rest = first.children()
    dropout, head = whole.get_submodule("classifier").children()
    stem = _stem(stem, channels, size, fan="fan_out")
    return _network(stem, *rest, *blocks, dropout=dropout, head=head)


def _network(*layers: nn.Module, head: nn.Module, dropout: nn.Module | None = None) -> ImageNetwork:
    """The layers, the mean of the last maps, and the head on it."""
    assert isinstance(head, nn.Linear)
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *([] if dropout is None else [dropout])]
    return ImageNetwork(nn.Sequential(*layers, *last), head)


def _stem(usual: nn.Module, channels: int, size: int, *, fan: Fan | None) -> nn.Conv2d:
    """The first convolution for these images: torchvision's own where it fits, which is made for three channels.

    fan: of the Kaiming initialization that torchvision gives it; None for torch's default.
    """
    assert isinstance(usual, nn.Conv2d)
    kernel = 3 if size < POOLS else usual.kernel_size[0]
    stride = 1 if size < HALVES else 2
    if (channels, kernel, stride) == (usual.in_channels, usual.kernel_size[0], usual.stride[0]):
        return usual
    padding = stem_padding(kernel // 2, size)
    stem = nn.Conv2d(channels, usual.out_channels, kernel, stride=stride, padding=padding, bias=False)
    if fan is not None:
        nn.init.kaiming_normal_(stem.weight, mode=fan, nonlinearity="relu")
    return stem


def _pooling(usual: nn.Module, size: int) -> list[nn.Module]:
    return [usual] if size >= POOLS else []
