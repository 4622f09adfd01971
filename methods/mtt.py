"""MTT: matching training trajectories. Cazenavette et al., CVPR 2022, https://arxiv.org/abs/2203.11932."""

from typing import final

from ddbench.methods.trajectory import TrajectoryMatching


@final
class MTT(TrajectoryMatching):
    """Match N student steps on synthetic images to M expert epochs on real ones; pixels and the student's rate learn.

    Every part of the family is at its default: SGD experts, a fixed window of start epochs, random real images, hard
    labels, a plain student, the final distance alone. Differs from the released code: the gradient is exact at constant
    memory, the learned rate is saved and kept positive, and no set is chosen on the test set.
    """
