"""Real batches of one class, drawn anew for every outer step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ddbench.distillation.task import OuterStep, Task
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
