"""Real batches, of one class or of all, drawn anew for every outer step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ddbench.distillation.task import OuterStep, Task
from ddbench.randomness import stream
from ddbench.recipe.settings import Count, Part


class RandomBatches(Part):
    """Random images of each class, without replacement."""

    kind: Literal["random"] = "random"
    per_class: Count = 256
    """Images of each class in an outer step; all of a class that has fewer."""

    def draw(self, task: Task, label: int, step: OuterStep, name: str = "real") -> Tensor:
        """Draw the batch of a class, which depends on the step, the class and the name alone.

        Args:
            task: What is distilled from.
            label: The class.
            step: The step, with its streams of randomness.
            name: Name of the draw.

        Returns:
            Images (n, C, H, W), preprocessed, on the task's device, in the student's dtype; n is at most ``per_class``.
        """
        rows = task.real.train.rows_of_class(label).cpu()
        order = torch.randperm(len(rows), generator=step.stream(name, label))
        images = task.real.inputs(task.real.train, rows[order[: self.per_class]])
        return images.to(next(task.network.module.parameters()).dtype)


class EpochBatches(Part):
    """Random images of all classes together, every one of them once an epoch; the last batch of one may be smaller."""

    kind: Literal["epochs"] = "epochs"
    images: Count = 5000
    """Images of an outer step; all of a set that has fewer."""

    def position(self, total: int, number: int) -> tuple[int, int]:
        """Find an outer step among the epochs.

        Args:
            total: Images of the real set.
            number: Number of the outer step, from 0.

        Returns:
            Its epoch, and its position in that epoch, both from 0.
        """
        return divmod(number, -(-total // self.images))

    def rows(self, total: int, step: OuterStep) -> Tensor:
        """Draw the batch, which depends on the seed and the step's number alone.

        Args:
            total: Images of the real set.
            step: The step.

        Returns:
            Rows (n,), int64, on the CPU; n is at most ``images``.
        """
        epoch, position = self.position(total, step.number)
        order = torch.randperm(total, generator=stream(step.seed, "real epoch", epoch))
        return order[position * self.images : (position + 1) * self.images]
