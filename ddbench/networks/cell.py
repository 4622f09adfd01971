"""The networks of NAS-Bench-201: three stages of equal cells, each edge of a cell being one operation, never a mixture.

Source: Dong and Yang 2020 (arXiv:2001.00326), and their D-X-Y/AutoDL-Projects: TinyNetwork, InferCell. Differs: none.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import final

import torch
from torch import Tensor, nn

from ddbench.networks.cell_names import EDGES, CellSpec
from ddbench.networks.image_network import ImageNetwork, wrong_size

WIDTH = 16
SMALLEST = 4  # the stages halve twice


@final
class Cell(nn.Module):
    """Four nodes: the input, and three sums of what operations make of the nodes before. Shapes stay, (B, C, H, W).

    Args:
        spec: Operation of each edge.
        width: Filters, C.
    """

    def __init__(self, spec: CellSpec, width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                f"{source}-{end}": _operation(operation, width)
                for (source, end), operation in zip(EDGES, spec.operations, strict=True)
                if operation != "none"
            }
        )

    def forward(self, maps: Tensor) -> Tensor:
        nodes = [maps]
        for node in (1, 2, 3):
            entering = [
                self.edges[key](nodes[source]) for source in range(node) if (key := f"{source}-{node}") in self.edges
            ]
            nodes.append(reduce(add, entering) if entering else torch.zeros_like(maps))
        return nodes[-1]


@final
class Reduction(nn.Module):
    """A residual block that halves the maps and doubles their number; its shortcut is average pooling and a 1x1.

    Args:
        entering: Maps of the input.
        width: Maps of the output.
    """

    def __init__(self, entering: int, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(relu_conv_bn(entering, width, 3, stride=2), relu_conv_bn(width, width, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(entering, width, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        return self.shortcut(maps) + self.block(maps)


def cell_network(spec: CellSpec, *, channels: int, size: int, classes: int) -> ImageNetwork:
    """Build a network of cells: stem, three stages of ``spec.cells`` cells with 16, 32, 64 filters and a reduction
    between, global mean.

    Args:
        spec: The cell, and how many a stage has.
        channels: Color channels of an image.
        size: Side of the images in pixels, a multiple of 4.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: Images of another size.
    """
    if size < SMALLEST or size % 4:
        raise wrong_size(spec.name, size, "a side that is a multiple of 4")
    layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH)]
    for width in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        if width > WIDTH:
            layers.append(Reduction(width // 2, width))
        layers += [Cell(spec, width) for _ in range(spec.cells)]
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return ImageNetwork(nn.Sequential(*layers), nn.Linear(width, classes))


def relu_conv_bn(entering: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Build ReLU, a convolution without bias that keeps the side but for its stride, and batch norm.

    Args:
        entering: Maps of the input.
        width: Filters.
        kernel: Side of the kernel, odd.
        stride: Stride of the convolution.

    Returns:
        The three layers.
    """
    conv = nn.Conv2d(entering, width, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(width))


def _operation(name: str, width: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return relu_conv_bn(width, width, 1 if name == "nor_conv_1x1" else 3)
