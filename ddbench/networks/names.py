"""Names of networks: one canonical name for each, whatever order or defaults the user wrote.

``convnet-d2-w32-bn-sigmoid-maxpool`` is a ConvNet by its axes; ``resnet18-ap`` and the like are fixed;
``torchvision:NAME`` and ``timm:NAME`` are any model of these libraries, untrained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ddbench.errors import UserError, unknown
from ddbench.networks.cell_names import is_cell_name, parse_cell

DEPTHS = (1, 2, 3, 4, 5)
NORMS = ("nonorm", "bn", "ln", "in", "gn")
ACTIVATIONS = ("sigmoid", "relu", "leakyrelu")
POOLINGS = ("nopool", "maxpool", "avgpool")
LARGEST_WIDTH = 4096

FIXED = {
    "mlp": "in-128-128-classes, ReLU; any size",
    "lenet": "28, 32, 64 pixels",
    "alexnet": "five convolutions, no norm; 28, 32, 64 pixels",
    "alexnet-bn": "alexnet with batch norm",
    "vgg11": "instance norm; 28, 32, 64 pixels",
    "vgg11-bn": "vgg11 with batch norm",
    "resnet18": "instance norm, stem for small images; 16 pixels or more",
    "resnet18-bn": "resnet18 with batch norm",
    "resnet18-ap": "resnet18 that halves by average pooling; 28, 32, 64 pixels",
    "resnet18-ap-bn": "resnet18-ap with batch norm",
    "resnet10-bn": "IDC's for CIFAR: 32 to 256 filters, batch norm; 16 pixels or more",
    "resnet10-ap": "IDC's for ImageNet: instance norm, halves by average pooling; 16 pixels or more",
    "resnet10-ap-bn": "resnet10-ap with batch norm",
    "resnet50-bn": "torchvision's, stem for small images; 28 pixels or more",
    "resnet101-bn": "torchvision's, stem for small images; 28 pixels or more",
    "densenet-cifar": "growth 12, blocks of 6, 12, 24, 16, batch norm; 28 pixels or more",
    "mobilenet-v2": "torchvision's, stem for small images; 28 pixels or more",
    "efficientnet-b0": "torchvision's, stem for small images; 28 pixels or more",
    "shufflenet-v2": "torchvision's x0.5, stem for small images; 28 pixels or more",
    "resnet18-cifar": "torchvision's, 3x3 stem that keeps the size; 28 pixels or more",
    "mobilenet-v2-cifar": "halves three times, 3x3 stem that keeps the size; 28 pixels or more",
    "efficientnet-b0-cifar": "halves four times, 3x3 stem that keeps the size; 28 pixels or more",
    "shufflenet-g2-cifar": "the first ShuffleNet, two groups, halves three times; 28 pixels or more",
}
OUTSIDE = {
    "torchvision": "any classification model of torchvision, untrained",
    "timm": "any model of timm, untrained",
}


@dataclass(frozen=True)
class ConvNetSpec:
    """The axes of the ConvNet family, each by its token in the name."""

    depth: int = 3
    """Blocks, 1 to 5."""
    width: int = 128
    """Filters of every block."""
    norm: str = "in"
    """Of NORMS."""
    activation: str = "relu"
    """Of ACTIVATIONS."""
    pooling: str = "avgpool"
    """Of POOLINGS, 2x2 after every block."""

    @property
    def name(self) -> str:
        """The canonical name: the depth, then whatever is not the default."""
        default = ConvNetSpec()
        width = [f"w{self.width}"] if self.width != default.width else []
        axes = ((self.norm, default.norm), (self.activation, default.activation), (self.pooling, default.pooling))
        tokens = ["convnet", f"d{self.depth}", *width, *(mine for mine, usual in axes if mine != usual)]
        return "-".join(tokens)


def parse_convnet(name: str, where: str = "") -> ConvNetSpec:
    """Read the axes of a ConvNet out of its name; those that it leaves out are the defaults.

    Args:
        name: Name in lower case, such as ``convnet-d3-w64-bn``.
        where: The place it was read from, for errors; may be empty.

    Returns:
        The axes.

    Raises:
        UserError: An unknown axis, an axis given twice, a width out of range, or four groups that do not divide the
            width.
    """
    axes: dict[str, int | str] = {}
    for token in name.split("-")[1:]:
        axis, value = _axis_of(token, where)
        if axis in axes:
            raise UserError(
                f"network {name!r} gives its {axis} twice",
                f"from  {where}" if where else "",
                fix=f"keep one of {axes[axis]!r} and {value!r}",
            )
        axes[axis] = value
    spec = ConvNetSpec(**axes)  # type: ignore[arg-type]
    if spec.norm == "gn" and spec.width % 4:
        raise UserError(
            f"network {name!r} can not have group norm: its 4 groups do not divide the width {spec.width}",
            f"from  {where}" if where else "",
            fix=f"choose w{spec.width + 4 - spec.width % 4}, or another norm",
        )
    return spec


def _axis_of(token: str, location: str) -> tuple[str, int | str]:
    for axis, tokens in (("norm", NORMS), ("activation", ACTIVATIONS), ("pooling", POOLINGS)):
        if token in tokens:
            return axis, token
    if re.fullmatch(r"d[1-5]", token):
        return "depth", int(token[1:])
    if re.fullmatch(r"w[1-9]\d{0,3}", token) and int(token[1:]) <= LARGEST_WIDTH:
        return "width", int(token[1:])
    known = [*(f"d{depth}" for depth in DEPTHS), f"w1..w{LARGEST_WIDTH}", *NORMS, *ACTIVATIONS, *POOLINGS]
    raise unknown("convnet axis", token, known, location, fix="a full name is convnet-d3-w128-in-relu-avgpool")


def split_outside(name: str) -> tuple[str, str] | None:
    """Split the name of another library's network.

    Args:
        name: Name such as ``timm:resnet10t``.

    Returns:
        Library and model, such as ``("timm", "resnet10t")``; None for a network of ddbench's own.
    """
    source, colon, rest = name.partition(":")
    return (source, rest) if colon and source in OUTSIDE else None


def canonical_network_name(name: str, where: str = "") -> str:
    """Normalize a name to the one under which a network is recorded: axes in fixed order, defaults left out, lower
    case.

    Args:
        name: Name of a network.
        where: The place it was read from, for errors; may be empty.

    Returns:
        The canonical name.

    Raises:
        UserError: There is no such network (the nearest names are given), or the name is of pretrained weights.
    """
    outside = split_outside(name)
    if outside is not None and "@" in name:
        raise UserError(
            f"{name!r} are weights, and only teachers are pretrained",
            f"from  {where}" if where else "",
            fix=f"write {name.partition('@')[0]}, which is trained from scratch",
        )
    if outside is not None:
        from ddbench.networks.outside import check_outside_name

        check_outside_name(*outside, where)
        return name
    if is_cell_name(name):
        return parse_cell(name, where).name
    lower = name.lower()
    if lower in FIXED:
        return lower
    if lower.split("-")[0] == "convnet":
        return parse_convnet(lower, where).name
    raise unknown("network", name, [*network_names(), *(f"{source}:NAME" for source in OUTSIDE)], where)


def network_names() -> list[str]:
    """List ddbench's own networks.

    Returns:
        Names, the ConvNet family by depth; other axes and prefixed names come on top.
    """
    return [*(f"convnet-d{depth}" for depth in DEPTHS), *FIXED]
