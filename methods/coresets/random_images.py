"""Baseline: random real images of each class, as they are. Every result is read beside this one."""

from typing import final

from ddbench.data.class_subset import random_rows
from ddbench.distillation.method import DirectMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.methods.parts.initialization import class_major_labels
from ddbench.synthetic.synthetic_set import SyntheticSet


@final
class RandomImages(DirectMethod):
    """``ipc`` training images of every class, drawn without replacement."""

    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        real = task.real
        rows = random_rows(real, ipc, step.stream("rows"))
        images = real.inputs(real.train, rows)
        return task.synthetic(images, class_major_labels(real.classes, ipc), ipc=ipc)
