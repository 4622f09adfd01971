"""DSA: DC with differentiable siamese augmentation. Zhao and Bilen, ICML 2021, https://arxiv.org/abs/2102.08259."""

from typing import final

from ddbench.methods.class_matching import AnyMatch, ClassMatching
from ddbench.methods.parts.class_match import GradientMatch


@final
class DSA(ClassMatching):
    """DC from real images, with one draw of augmentation for the real and the synthetic images of a class.

    Differs from the released code as DC does. There, ``--method DSA`` alone runs without augmentation.
    """

    match: AnyMatch = GradientMatch()

    def published_lr(self, ipc: int) -> float:
        del ipc
        return 0.1
