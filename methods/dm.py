"""DM: distribution matching. Zhao and Bilen, WACV 2023, https://arxiv.org/abs/2110.04181."""

from typing import ClassVar, final

from ddbench.methods.class_matching import AnyMatch, ClassMatching
from ddbench.methods.parts.class_match import MeanEmbedding
from ddbench.methods.parts.network_loop import NetworkLoop
from ddbench.recipe.settings import Count


@final
class DM(ClassMatching):
    """Match the mean embeddings of real and synthetic images of each class, under a new random network every step.

    No network is trained, and nothing is differentiated twice. Where ``image_lr`` is not given, it is that published
    for CIFAR-10: 1, and 10 from 100 images per class on. Differs from the released code: no set is chosen on the test
    set.
    """

    NETWORKS: ClassVar[int] = 20001

    iterations: Count = 20001
    match: AnyMatch = MeanEmbedding()

    def loop(self, ipc: int) -> NetworkLoop:
        del ipc
        return NetworkLoop(self.image_steps or 1, self.inner_epochs or 1)

    def loop_notes(self, ipc: int) -> tuple[str, ...]:
        del ipc
        return ()

    def published_lr(self, ipc: int) -> float:
        return 1.0 if ipc < 100 else 10.0
