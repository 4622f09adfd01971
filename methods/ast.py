"""AST: alignment with smooth experts. Shen et al. 2023, https://arxiv.org/abs/2310.10541."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from pydantic import StrictBool

from ddbench.methods.parts.init_kmeans import KMeansInit
from ddbench.methods.parts.matching import IntermediateMatch
from ddbench.methods.trajectory import AnyInit, AnyMatch, TrajectoryMatching
from ddbench.recipe.settings import NotNegative, Share


@final
class AST(TrajectoryMatching):
    """MTT with smooth experts, whose student moves as they do and is held to them on the way.

    Experts have momentum, scaled-down early losses and a gradient penalty; images begin at k-means centers; the student
    has momentum, starts off the expert's convolutions, and its loss is balanced by the start epoch. Each part can be
    switched off alone. ``compat``: ten clusters whatever the IPC, as in the released code.
    """

    EXPERTS: ClassVar[Mapping[str, Any]] = {
        "optimizer": "smooth",
        "lr": 0.003,
        "momentum": 0.9,
        "weight_decay": 1e-3,
        "lr_drop_epoch": 27,
        "lr_drop_factor": 0.6,
    }
    COMPAT: ClassVar[Mapping[str, Any]] = {"init": {"kind": "representative", "clusters": 10}}

    student_momentum: Share = 0.9
    balanced_loss: bool = True
    start_perturbation: NotNegative = 1.0
    init: AnyInit = KMeansInit()
    match: AnyMatch = IntermediateMatch()
    compat: StrictBool = False
    """Whether to do as the released code does, by mistake or not, where that moves results."""
