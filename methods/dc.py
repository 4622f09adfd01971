"""DC: dataset condensation with gradient matching. Zhao et al., ICLR 2021, https://arxiv.org/abs/2006.05929."""

from typing import Literal, final

from ddbench.methods.class_matching import AnyInit, AnyMatch, ClassMatching
from ddbench.methods.parts.class_match import GradientMatch
from ddbench.methods.parts.initialization import NoiseInit


@final
class DC(ClassMatching):
    """Match the gradients of real and synthetic images of each class, along the training of networks on the latter.

    Images begin as noise. Differs from the released code: a number of images per class without a published loop takes
    one by rule, where that code exits; batch norm has the statistics of 16 real images a class as they are, where that
    code mixes them with earlier ones; no set is chosen on the test set.
    """

    init: AnyInit = NoiseInit()
    match: AnyMatch = GradientMatch()
    augmentation: Literal["dsa", "none"] = "none"

    def published_lr(self, ipc: int) -> float:
        del ipc
        return 0.1
