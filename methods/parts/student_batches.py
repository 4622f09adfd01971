"""The student's loss at each inner step, of batches and augmentation drawn beforehand: steps can be replayed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddbench.augmentation.draw import Augmentation
from ddbench.distillation.task import OuterStep, Task, student_loss
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.unroll.sgd_step import BatchLoss
from ddbench.unroll.unroll import Outer


def student_batches(
    syn: SyntheticSet,
    task: Task,
    step: OuterStep,
    order: Sequence[Tensor | None],
    policy: Augmentation | None,
    scale: float = 1.0,
) -> BatchLoss:
    """Make the student's loss at each inner step.

    Labels that are learned come after the images in what the unroll differentiates by; others are constants. Each of
    several ranks has its rows of every batch, and their weight in it.

    Args:
        syn: The set, which says kind and, where they are constants, the labels.
        task: What is distilled from.
        step: The outer step, whose stream "augmentation" is drawn from.
        order: Rows of the set that each inner step sees; None for all in order.
        policy: Augmentation of the batches, drawn anew at every inner step; None for none.
        scale: A factor of the loss.

    Returns:
        The loss of (theta, outer, t).
    """
    batches = [None if rows is None else rows.to(task.device) for rows in order]
    sizes = [len(syn) if rows is None else len(rows) for rows in order]
    draws = []
    if policy is not None:
        generator = step.stream("augmentation")
        draws = [policy.draw(size, task.real.size, generator).to(task.device) for size in sizes]
    weights: list[tuple[Tensor, ...]] = [()] * len(sizes)
    if not task.ranks.alone:
        every = torch.arange(len(syn), device=task.device)
        shares = [task.ranks.share(size) for size in sizes]
        batches = [(every if rows is None else rows)[s.rows] for rows, s in zip(batches, shares, strict=True)]
        draws = [draw.of(s.rows) for draw, s in zip(draws, shares, strict=False)]
        weights = [(weight,) for weight in syn.images.new_tensor([s.weight for s in shares])]

    def shown(outer: Outer, t: int) -> tuple[Tensor, ...]:
        images, labels = outer if len(outer) == 2 else (outer[0], syn.labels)
        rows = batches[t]
        if rows is not None:
            images, labels = images[rows], labels[rows]
        if policy is not None:
            images = policy.apply(images, draws[t])
        return images, labels, *weights[t]

    def loss(theta: Tensor, images: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        (theta,) = task.ranks.copied(theta)
        return student_loss(task.network, syn.label_kind, theta, images, labels, weight)

    return BatchLoss(shown, loss, scale)
