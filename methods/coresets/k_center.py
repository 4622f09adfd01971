"""Baseline: greedy k-center. Sener and Savarese, ICLR 2018, https://arxiv.org/abs/1708.00489."""

from typing import final

import torch
from torch import Tensor

from ddbench.distillation.method import DirectMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.methods.coresets.coreset import coreset
from ddbench.recipe.settings import Count
from ddbench.synthetic.synthetic_set import SyntheticSet


@final
class KCenter(DirectMethod):
    """Real images of each class, each the one whose features are farthest from those chosen before it."""

    feature_epoch: Count = 10
    """The epoch of expert 0 whose features are compared."""

    def needed_epochs(self) -> int:
        return self.feature_epoch

    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        del step
        return coreset(task, ipc, self.feature_epoch, farthest_first)


def farthest_first(features: Tensor, count: int) -> Tensor:
    """Choose the row nearest the mean, then always the one farthest from those chosen.

    Args:
        features: (n, F).
        count: Rows to choose, n at most.

    Returns:
        Positions of different rows, in the order in which they are chosen, (count,), int64.

    Source: Sener and Savarese 2018 (arXiv:1708.00489), the greedy algorithm.
    """
    chosen = [int((features - features.mean(0)).square().sum(1).argmin())]
    nearest = (features - features[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        nearest[chosen] = -1.0  # a duplicate of a chosen image is at distance 0, and still another image
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (features - features[chosen[-1]]).square().sum(1))
    return torch.tensor(chosen)
