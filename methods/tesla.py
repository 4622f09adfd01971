"""TESLA: trajectory matching at constant memory. Cui et al., ICML 2023, https://arxiv.org/abs/2211.10586."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from pydantic import StrictBool

from ddbench.methods.parts.unroll_choice import UnrollChoice
from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.recipe.settings import Count


@final
class TESLA(TrajectoryMatching):
    """MTT with a first-order gradient in two passes; soft labels for many classes.

    Of N it holds no graphs, only two vectors of parameters a step. The paper calls its gradient exact; it is so for
    N = 1 alone. ``unroll: adjoint`` is exact at the same memory, and ``labels: target`` are the soft labels of the
    ImageNet-1K setting. ``compat``: half the pixels' gradient, as the released code takes by mistake. That code also
    keeps the labels of a single target: ``labels: {kind: target, keep: last}``.
    """

    COMPAT: ClassVar[Mapping[str, Any]] = {"pixel_gradient": 0.5}

    iterations: Count = 10000
    unroll: UnrollChoice = UnrollChoice(kind="tesla")
    compat: StrictBool = False
    """Whether to do as the released code does, by mistake or not, where that moves results."""
