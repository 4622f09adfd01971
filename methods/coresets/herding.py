"""Baseline: herding. Welling, ICML 2009; as a coreset in iCaRL, CVPR 2017, https://arxiv.org/abs/1611.07725."""

from typing import final

import torch
from torch import Tensor

from ddbench.distillation.method import DirectMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.methods.coresets.coreset import coreset
from ddbench.recipe.settings import Count
from ddbench.synthetic.synthetic_set import SyntheticSet


@final
class Herding(DirectMethod):
    """Real images of each class, chosen one by one so that their mean feature stays closest to that of the class."""

    feature_epoch: Count = 10
    """The epoch of expert 0 whose features are compared."""

    def needed_epochs(self) -> int:
        return self.feature_epoch

    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        del step
        return coreset(task, ipc, self.feature_epoch, herd)


def herd(features: Tensor, count: int) -> Tensor:
    """Choose rows one by one so that their mean stays closest to that of all.

    Args:
        features: (n, F).
        count: Rows to choose, n at most.

    Returns:
        Positions of different rows, in the order in which they are chosen, (count,), int64.

    Source: Rebuffi et al. 2017 (iCaRL, arXiv:1611.07725), algorithm 4.
    """
    mean = features.mean(0)
    total = torch.zeros_like(mean)
    free = torch.ones(len(features), dtype=torch.bool)
    chosen = []
    for k in range(1, count + 1):
        distance = (mean - (total + features) / k).square().sum(1)
        best = int(distance.masked_fill(~free, torch.inf).argmin())
        chosen.append(best)
        free[best] = False
        total += features[best]
    return torch.tensor(chosen)
