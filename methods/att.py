"""ATT: automatic training trajectories. Liu et al., ECCV 2024, released as NiaLiu/ATT."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from pydantic import StrictBool

from ddbench.methods.parts.matching import ClosestMatch
from ddbench.methods.trajectory import AnyMatch, TrajectoryMatching
from ddbench.recipe.settings import Share


@final
class ATT(TrajectoryMatching):
    """MTT whose student is held to the expert where it comes closest, and a moving average of the pixels as the set.

    ``inner_steps`` is the most steps that a student takes; the log has the step that was chosen (``closest_step``).
    Experts are plain SGD's in batches of 512, the released default: half as many steps an epoch as MTT's. The average
    and the pixels themselves are both kept, as FTD's. ``compat``: the average carries the pixels with it, for the
    protocol ``ftd-warm-ema-v1``, which the released code follows. Differs: as ``match: closest`` says.
    """

    EXPERTS: ClassVar[Mapping[str, Any]] = {"batch": 512}
    COMPAT: ClassVar[Mapping[str, Any]] = {"keep_warm_images": True}
    RENAMED: ClassVar[Mapping[str, str]] = {}

    match: AnyMatch = ClosestMatch()
    ema_decay: Share | None = 0.999
    compat: StrictBool = False
    """Whether to do as the released code does, by mistake or not, where that moves results."""
