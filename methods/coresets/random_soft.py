"""Baseline: random real images with soft labels of experts, strong, read beside every method with soft labels."""

from dataclasses import replace
from typing import final

from ddbench.data.class_subset import random_rows
from ddbench.distillation.method import DirectMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.methods.parts.initialization import class_major_labels
from ddbench.methods.parts.labels import Teachers, expert_logits
from ddbench.recipe.renamed_keys import RENAMED_KEYS
from ddbench.recipe.settings import Count
from ddbench.synthetic.synthetic_set import SyntheticSet


@final
class RandomSoft(DirectMethod):
    """The images of ``random``, with the averaged logits of experts as labels.

    Source: Qin et al. 2024 (A Label is Worth a Thousand Images, arXiv:2406.10485), who show how much of what
    methods with soft labels reach is due to the labels.
    """

    RENAMED = RENAMED_KEYS["random-soft"]

    label_expert_epoch: Count
    """The epoch at which experts label."""
    teachers: Teachers = "all"
    """Whose logits are averaged."""

    def soft_labels(self) -> bool:
        return True

    def needed_epochs(self) -> int:
        return self.label_expert_epoch

    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        real = task.real
        images = real.inputs(real.train, random_rows(real, ipc, step.stream("rows")))
        classes = class_major_labels(real.classes, ipc).to(images.device)
        hard = task.synthetic(images, classes, ipc=ipc)
        return replace(
            hard, labels=expert_logits(hard, task, self.label_expert_epoch, self.teachers), label_kind="logits"
        )
