"""DATM: difficulty-aligned trajectory matching. Guo et al., ICLR 2024, https://arxiv.org/abs/2310.05773."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from ddbench.distillation.guard import Guard
from ddbench.methods.parts.init_correct import CorrectInit
from ddbench.methods.parts.labels import LearnedLabels
from ddbench.methods.trajectory import AnyInit, AnyLabels, TrajectoryMatching
from ddbench.recipe.settings import Count


@final
class DATM(TrajectoryMatching):
    """MTT on FTD's experts, with a window that grows with the set's size and age, and labels that are learned.

    Images begin as real ones that experts classify correctly, labels as those experts' logits; steps whose loss is
    above 1 are skipped. Early epochs (max_start_epoch small) suit few images per class, late ones many; ``growth``
    widens the window as the run goes on.
    """

    EXPERTS: ClassVar[Mapping[str, Any]] = {"optimizer": "gsam"}

    iterations: Count = 10000
    guard: Guard = Guard(threshold=1.0, patience=500)
    init: AnyInit = CorrectInit()
    labels: AnyLabels = LearnedLabels()
