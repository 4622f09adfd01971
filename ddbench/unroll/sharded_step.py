"""A compiled gradient whose batch is shared out over ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from ddbench.runtime.distributed import Ranks
from ddbench.unroll.compiled_step import Batch, Kernel


@final
@dataclass(frozen=True)
class SharedKernel:
    """A kernel of each rank's part of the loss, as that of the whole loss.

    The gradient, and what is handed back to theta, are summed over the ranks, in one collective. What is handed back to
    the batch stays each rank's own: the images' cotangents are summed once, where ``Ranks.copied`` gave them out.
    """

    kernel: Kernel
    """Gradient of this rank's part."""
    ranks: Ranks
    """Processes that share the batch."""

    def __call__(self, theta: Tensor, batch: Batch) -> Tensor:
        """d loss / d theta of the whole batch, (P,), the same on every rank."""
        return self.ranks.total(self.kernel(theta, batch))[0]

    def pull_back(
        self, theta: Tensor, batch: Batch, cotangent: Tensor, by: tuple[bool, ...]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Compute the gradient and theta's share of the whole batch, and the batch's shares of this rank's part.

        Args:
            theta: Parameters, (P,), the same on every rank.
            batch: This rank's part of the batch.
            cotangent: (P,), the same on every rank.
            by: For theta and each tensor of the batch, whether its share is wanted.

        Returns:
            The gradient (P,), and the shares; None for those that are not wanted.
        """
        g, (by_theta, *by_batch) = self.kernel.pull_back(theta, batch, cotangent, by)
        if by_theta is None:
            return self.ranks.total(g)[0], [None, *by_batch]
        g, by_theta = self.ranks.total(g, by_theta)
        return g, [by_theta, *by_batch]
