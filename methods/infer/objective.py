"""Loss of compensators and its gradient: class by class, to the same sum as all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddbench.methods.parts.batch_statistics import BatchStatistics, Seen, Sums, added, matching_loss
from ddbench.methods.parts.shared_view import View, seen_under


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Objective:
    """Cross-entropy of a teacher, plus ``bn_weight`` times how far its batch statistics are from the running ones."""

    teacher: nn.Module
    """In eval mode, so that it sees each image alone."""
    natural: Tensor
    """(J, classes, C, H, W), one natural set a job; jobs share batches and nothing else."""
    bn_weight: float = 1.0
    """Weight of the distance of statistics."""
    first_bn: float = 10.0
    """Weight of the first batch-norm layer among the others."""
    classes_at_once: int | None = None
    """How many of each job are seen together; None is all."""

    def losses_and_gradient(self, compensators: Tensor, views: Sequence[View]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the objective of every job, and its gradient by the compensators.

        Of several chunks of classes a first pass adds up the statistics of the whole batch. The distance is a function
        of these sums alone, so its derivative by them gives each chunk its share of the gradient, and the shares add up
        to the gradient of one batch of all classes.

        Args:
            compensators: (J, G, C, H, W), G 1 or classes.
            views: One a job.

        Returns:
            Cross-entropies (J,), batch-norm distances (J,), and the gradient, shaped as the compensators.
        """
        compensators = compensators.detach().requires_grad_()
        chunks = torch.arange(self.natural.shape[1]).split(self.classes_at_once or self.natural.shape[1])
        gradient, cross = torch.zeros_like(compensators), self.natural.new_zeros(len(self.natural))
        pulled: tuple[Tensor, Seen] | None = None
        with BatchStatistics(self.teacher, len(self.natural)) as statistics:
            if len(chunks) > 1:
                pulled = self._pulled(self._collected(compensators, views, chunks, statistics))
            for chunk in chunks:
                of_chunk, seen = self._cross_entropy(compensators, views, chunk), statistics.take()
                pulled = pulled or self._pulled(seen)
                share = of_chunk.sum()
                for layer, pull in pulled[1].items():
                    share = share + (pull.first * seen[layer].first + pull.second * seen[layer].second).sum()
                gradient += torch.autograd.grad(share, compensators)[0]
                cross += of_chunk.detach()
        assert pulled is not None
        return cross, pulled[0], gradient

    @torch.no_grad()
    def _collected(
        self, compensators: Tensor, views: Sequence[View], chunks: Sequence[Tensor], statistics: BatchStatistics
    ) -> Seen:
        """What the layers see of all chunks."""
        whole: Seen = {}
        for chunk in chunks:
            self._cross_entropy(compensators, views, chunk)
            whole = added(whole, statistics.take())
        return whole

    def _cross_entropy(self, compensators: Tensor, views: Sequence[View], chunk: Tensor) -> Tensor:
        """The part that some consecutive classes, (n,), have in each job's mean over all classes: (J,)."""
        jobs, classes = self.natural.shape[:2]
        first, end = int(chunk[0]), int(chunk[-1]) + 1
        of_chunk = compensators if compensators.shape[1] == 1 else compensators[:, first:end]
        sums = self.natural[:, first:end] + of_chunk
        batch = torch.cat([seen_under(view, images) for view, images in zip(views, sums, strict=True)])
        losses = functional.cross_entropy(self.teacher(batch), chunk.to(batch.device).repeat(jobs), reduction="none")
        return losses.view(jobs, -1).sum(1) / classes

    def _pulled(self, whole: Seen) -> tuple[Tensor, Seen]:
        """The distance of each job, (J,), and the derivative of the objective by every layer's sums."""
        if not whole:
            return self.natural.new_zeros(len(self.natural)), {}
        leaves: Seen = {
            layer: Sums(sums.numbers, sums.first.detach().requires_grad_(), sums.second.detach().requires_grad_())
            for layer, sums in whole.items()
        }
        distance = matching_loss(leaves, self.first_bn)
        parts = [part for sums in leaves.values() for part in (sums.first, sums.second)]
        derivatives = iter(torch.autograd.grad(self.bn_weight * distance.sum(), parts))
        return distance.detach(), {
            layer: Sums(sums.numbers, next(derivatives), next(derivatives)) for layer, sums in whole.items()
        }
