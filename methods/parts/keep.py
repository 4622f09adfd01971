"""Choice of the parameters that a matching loss counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ddbench.recipe.settings import Settings, Share


class Keep(Settings):
    """Parameters that a matching loss counts: all but a share of them, chosen anew at every outer step.

    ``loss``: the floor(drop * P) parameters with the smallest (theta_N - theta*)^2 are dropped, whatever layer they are
    of; among equals, the first. ``depth``: the parameters of the floor(drop * L) layers nearest to the input are
    dropped, of L layers, where a layer is a convolution or a linear map with its bias and the norm that follows it; a
    ConvNet of depth 3 has 4 of them.

    Source: Li et al. 2024 (PAD, arXiv:2408.03360). ``loss`` is what the released ``PAD.py`` does. ``depth`` is what the
    paper describes, matching by deep layers alone; the released code never reads its ``depth_ratio``, so that the count
    of layers, and the rounding, are this package's.
    """

    by: Literal["loss", "depth"] = "loss"
    """What chooses: how near a parameter already is to the expert's, or how near to the input its layer is."""
    drop: Share
    """Share of the parameters (loss) or of the layers (depth) that is dropped, rounded down; 0 drops none."""

    def counted(self, misfit: Tensor, shapes: Sequence[torch.Size]) -> Tensor | None:
        """Choose the parameters that count.

        Args:
            misfit: Squared distance of each parameter from the expert's, (P,).
            shapes: Shapes of the network's tensors, in order.

        Returns:
            (P,), bool, True where a parameter counts, without history; None where all do.
        """
        counted = torch.ones(len(misfit), dtype=torch.bool, device=misfit.device)
        if self.by == "loss":
            dropped = math.floor(self.drop * len(misfit))
            counted[misfit.detach().argsort(stable=True)[:dropped]] = False
        else:
            layers = layer_sizes(shapes)
            dropped = sum(layers[: math.floor(self.drop * len(layers))])
            counted[:dropped] = False
        return counted if dropped else None


def layer_sizes(shapes: Sequence[torch.Size]) -> list[int]:
    """Count the parameters of each layer, from the input on.

    Args:
        shapes: Shapes of a network's tensors, in order. One of two or more dimensions begins a layer; biases, and the
            scales and shifts of norms, belong to the layer before them.

    Returns:
        Parameters of each layer; together, all.
    """
    sizes: list[int] = []
    for shape in shapes:
        if len(shape) > 1 or not sizes:
            sizes.append(0)
        sizes[-1] += shape.numel()
    return sizes
