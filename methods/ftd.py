"""FTD: flat trajectory distillation. Du et al., CVPR 2023, https://arxiv.org/abs/2211.11004."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from pydantic import StrictBool

from ddbench.methods.trajectory import TrajectoryMatching
from ddbench.recipe.settings import Share


@final
class FTD(TrajectoryMatching):
    """MTT with experts that were led through flat regions (GSAM), and a moving average of the pixels as the set.

    Both the average and the pixels themselves are kept, and each is scored with fresh networks, in rows of its own.
    ``compat``: the average carries the pixels with it, for the protocol ``ftd-warm-ema-v1``, by which the released code
    trains each network on the pixels first and goes on with the same network on the average.
    """

    EXPERTS: ClassVar[Mapping[str, Any]] = {"optimizer": "gsam"}
    COMPAT: ClassVar[Mapping[str, Any]] = {"keep_warm_images": True}

    ema_decay: Share | None = 0.999
    compat: StrictBool = False
    """Whether to do as the released code does, by mistake or not, where that moves results."""
