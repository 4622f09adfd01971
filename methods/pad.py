"""PAD: alignment first, in what experts see and in what is matched. Li et al. 2024, https://arxiv.org/abs/2408.03360."""

from collections.abc import Mapping
from typing import Any, ClassVar, final

from ddbench.distillation.guard import Guard
from ddbench.methods.parts.init_correct import CorrectInit
from ddbench.methods.parts.keep import Keep
from ddbench.methods.parts.labels import LearnedLabels
from ddbench.methods.parts.matching import FinalMatch
from ddbench.methods.trajectory import AnyInit, AnyLabels, AnyMatch, TrajectoryMatching
from ddbench.recipe.settings import Count


@final
class PAD(TrajectoryMatching):
    """DATM that matches only the parameters which are furthest from the expert's.

    ``match: {keep: {drop: ...}}`` is the share that is dropped, half of them in most published settings; ``by: depth``
    drops shallow layers instead, as the paper describes. Its experts see easy images first and hard ones last
    (``experts.curriculum``). Differs: the order of difficulty is made here, where the released code reads a file.
    """

    EXPERTS: ClassVar[Mapping[str, Any]] = {"optimizer": "gsam", "curriculum": {}}
    RENAMED: ClassVar[Mapping[str, str]] = {}

    iterations: Count = 10000
    guard: Guard = Guard(threshold=1.0, patience=500)
    init: AnyInit = CorrectInit()
    labels: AnyLabels = LearnedLabels()
    match: AnyMatch = FinalMatch(keep=Keep(drop=0.5))
